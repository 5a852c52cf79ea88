//! The indexer as a process.

use std::time::Duration;

use event_store::PgPool;
use futures::FutureExt;
use futures::future::OptionFuture;
use service::config::{ConfigError, Settings};
use service::health::{self, DefaultPort, Health};
use service::logs::{self, LogStream};
use service::process::Refused;
use service::signals;

use tokio_util::sync::CancellationToken;

use crate::rpc::nodes::Nodes;
use crate::settings::ChainRole;
use crate::{Auditor, ChainSettings, Indexer, IndexerError, Result, StatusBoard};

/// Connections an indexer uses at most. A transaction holds one for milliseconds, so that more
/// chains share them.
const CONNECTIONS_MAX: usize = 8;
/// [`Indexer`] beats every second, but a busy machine may be slow.
pub const HEARTBEAT_LIMIT: Duration = Duration::from_secs(30);

/// The whole life of the process.
pub async fn main() -> anyhow::Result<()> {
    let settings = Settings::load()?;
    logs::init(LogStream::Stdout, &settings)?;
    let shutdown = signals::shutdown_token()?;
    tracing::info!("Starting Chain Indexer...");
    let chains = configured(&settings)?;
    let database_url = settings.database_url()?;
    let name = format!("chain-indexer-{}", std::process::id());
    let pool = event_store::open(database_url, &name, connections(&chains))
        .await
        .map_err(|error| ConfigError::variable("DATABASE_URL", error.to_string()))?;
    let health = Health::default();
    let reading = ChainReaders::new(pool, &chains, &health);
    health::start(health, settings.listen, DefaultPort::CHAIN_INDEXER, shutdown.clone()).await?;
    reading.run(shutdown).await.map_err(|error| match error {
        // Trying again helps nothing.
        IndexerError::WrongChain { .. } => anyhow::Error::new(Refused::new(error.to_string())),
        error => error.into(),
    })?;
    tracing::info!("Stopped");
    Ok(())
}

/// The readers of the chains: the indexer for indexed chains, the auditor for chains whose events
/// it may invalidate.
pub struct ChainReaders {
    indexer: Option<Indexer>,
    auditor: Option<Auditor>,
}

impl ChainReaders {
    /// Divides the chains.
    pub fn new(pool: PgPool, chains: &[ChainSettings], health: &Health) -> Self {
        let of = |wanted: fn(&ChainSettings) -> bool| -> Option<Vec<ChainSettings>> {
            let chains: Vec<_> = chains.iter().filter(|chain| wanted(chain)).cloned().collect();
            (!chains.is_empty()).then_some(chains)
        };
        let indexer = of(|chain| chain.indexed).map(|chains| Indexer {
            pool: pool.clone(),
            board: StatusBoard::new(&chains),
            chains,
            heartbeat: health.register("chain-indexer", HEARTBEAT_LIMIT),
        });
        let auditor = of(ChainRole::is_audited).map(|chains| Auditor {
            pool,
            chains,
            heartbeat: health.register("auditor", HEARTBEAT_LIMIT),
        });
        Self { indexer, auditor }
    }

    /// Runs until `shutdown`.
    ///
    /// # Errors
    /// All chains of one of them have stopped: the first one's reason. The other is ended, too.
    pub async fn run(self, shutdown: CancellationToken) -> Result<()> {
        let shutdown = shutdown.child_token();
        let stop = |_: &Result<()>| shutdown.cancel();
        let indexing = self.indexer.map(|it| it.run(shutdown.clone()).inspect(stop));
        let auditing = self.auditor.map(|it| it.run(shutdown.clone()).inspect(stop));
        let (indexed, audited) =
            tokio::join!(OptionFuture::from(indexing), OptionFuture::from(auditing));
        indexed.unwrap_or(Ok(())).and(audited.unwrap_or(Ok(())))
    }
}

/// A sensible number of connections for these chains.
pub fn connections(chains: &[ChainSettings]) -> u32 {
    u32::try_from(chains.len().clamp(1, CONNECTIONS_MAX)).unwrap_or(1)
}

/// The configured chains that are ours to read; there has to be one.
fn configured(settings: &Settings) -> anyhow::Result<Vec<ChainSettings>> {
    let refuse = |problem| Err(ConfigError::variable("AGENTAURI_CONFIG", problem).into());
    if settings.chains.is_empty() {
        return refuse("names no file with [[chains]], and there is no agentauri.toml with them");
    }
    let ours = settings.chains.iter().filter(|chain| chain.is_ours_to_read());
    let chains: Vec<_> = ours.cloned().collect();
    if chains.is_empty() {
        return refuse("has no chain with indexed = true: others read all of them");
    }
    refuse_unusable(&chains)?;
    Ok(chains)
}

/// Refuses settings that cannot work. No node is asked: a node that is away, or of another chain,
/// is its chain's problem alone, reported while the others go on.
///
/// # Errors
/// The first chain whose settings are refused, by name and key.
pub fn refuse_unusable(chains: &[ChainSettings]) -> Result<(), Refused> {
    for chain in chains {
        Nodes::new(chain).map_err(|error| Refused::new(error.to_string()))?;
    }
    Ok(())
}
