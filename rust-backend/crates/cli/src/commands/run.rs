//! `agentauri run`: the indexer, the processor and the worker in one process.

use anyhow::Result;
use chain_indexer::ChainRole as _;
use service::config::Settings;
use service::health::{self, DefaultPort, Health};
use service::signals;

use crate::parts::Parts;
use crate::servers;

/// Runs until SIGTERM or SIGINT.
pub(crate) async fn run(settings: Settings) -> Result<()> {
    let shutdown = signals::shutdown_token()?;
    tracing::info!("Starting AgentAuri...");
    let (settings, servers) = servers::provided(settings)?;
    let ours = settings.chains.iter().filter(|chain| chain.is_ours_to_read());
    let chains: Vec<_> = ours.cloned().collect();
    if chains.is_empty() {
        tracing::warn!(
            "No chain to index or audit is configured; judging events that others write"
        );
    }
    chain_indexer::refuse_unusable(&chains)?;
    let health = Health::default();
    let parts = Parts::new(&settings, chains, &health).await?;
    health::start(health, settings.listen, DefaultPort::RUN, shutdown.clone()).await?;
    Box::pin(parts.run(shutdown)).await?;
    drop(servers);
    tracing::info!("Stopped");
    Ok(())
}
