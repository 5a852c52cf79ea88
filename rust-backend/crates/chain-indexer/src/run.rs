//! The indexer as a process.

use std::time::Duration;

use service::config::{ConfigError, Settings};
use service::health::{self, DefaultPort, Health};
use service::logs::{self, Destination};
use service::process::Refused;
use service::signals;

use crate::{ChainSettings, Indexer, Result, StatusBoard, check};

/// Connections an indexer uses at most. A transaction holds one for milliseconds, so that more
/// chains share them.
const CONNECTIONS_MAX: usize = 8;
/// [`Indexer`] beats every second, but a busy machine may be slow.
pub const HEARTBEAT_LIMIT: Duration = Duration::from_secs(30);

/// The whole life of the process.
pub async fn main() -> anyhow::Result<()> {
    let settings = Settings::load()?;
    logs::init(Destination::Stdout, &settings)?;
    let shutdown = signals::shutdown_token()?;
    tracing::info!("Starting Chain Indexer...");
    let chains = configured(&settings)?;
    let database_url = settings.database_url()?;
    check_nodes(&chains).await?;
    let name = format!("chain-indexer-{}", std::process::id());
    let pool = event_store::open(database_url, &name, connections(&chains))
        .await
        .map_err(|error| ConfigError::variable("DATABASE_URL", error.to_string()))?;
    let health = Health::default();
    let heartbeat = health.register("chain-indexer", HEARTBEAT_LIMIT);
    health::start(health, settings.listen, DefaultPort::CHAIN_INDEXER, shutdown.clone()).await?;
    let board = StatusBoard::new(&chains);
    Indexer { pool, chains, board, heartbeat }.run(shutdown).await?;
    tracing::info!("Stopped");
    Ok(())
}

/// How many connections an indexer of these chains makes use of.
pub fn connections(chains: &[ChainSettings]) -> u32 {
    u32::try_from(chains.len().clamp(1, CONNECTIONS_MAX)).unwrap_or(1)
}

/// The configured chains that are ours to read; there has to be one.
fn configured(settings: &Settings) -> anyhow::Result<Vec<ChainSettings>> {
    let refuse = |problem| Err(ConfigError::variable("AGENTAURI_CONFIG", problem).into());
    if settings.chains.is_empty() {
        return refuse("names no file with [[chains]], and there is no agentauri.toml with them");
    }
    let chains = settings.chains.iter().map(ChainSettings::from_config);
    let chains: Result<Vec<_>> = chains.collect();
    let mut chains = chains.map_err(|error| Refused::new(error.to_string()))?;
    chains.retain(ChainSettings::is_ours_to_read);
    if chains.is_empty() {
        return refuse("has no chain with indexed = true: others read all of them");
    }
    Ok(chains)
}

/// Asks the nodes of all chains. A node that does not answer is worth a warning, as long as another
/// one of its chain does.
///
/// # Errors
/// The first chain whose settings or nodes are refused, by name and key.
pub async fn check_nodes(chains: &[ChainSettings]) -> Result<(), Refused> {
    for report in futures::future::join_all(chains.iter().map(check)).await {
        let report = report.map_err(|error| Refused::new(error.to_string()))?;
        for error in report.unreachable {
            tracing::warn!(%error, "A node does not answer; the chain has another");
        }
    }
    Ok(())
}
