//! The indexer, the processor and the worker in one process, for `run` and `demo`.

use anyhow::Result;
use chain_indexer::{ChainReaders, ChainSettings};
use event_store::PgPool;
use service::config::{ConfigError, Settings};
use service::health::Health;
use service::name::unique_name;
use tokio_util::sync::CancellationToken;

/// All parts, ready to run.
pub(crate) struct Parts {
    pool: PgPool,
    reading: ChainReaders,
    processor: event_processor::Processor,
    worker: action_worker::RealWorker,
}

impl Parts {
    pub(crate) async fn new(
        settings: &Settings,
        chains: Vec<ChainSettings>,
        health: &Health,
    ) -> Result<Self> {
        let name = unique_name("agentauri");
        let database_url = settings.database_url()?;
        let open = async |part: &str, connections| {
            let pool =
                event_store::open(database_url, &format!("{name}-{part}"), connections).await;
            pool.map_err(|error| ConfigError::variable("DATABASE_URL", error.to_string()))
        };
        let pool = open("indexer", chain_indexer::connections(&chains)).await?;
        event_processor::name_chains(&pool, settings).await?;
        let processor = event_processor::Processor {
            pool: open("processor", event_processor::CONNECTIONS).await?,
            queue: event_processor::connect(settings.redis_url()?, &pool).await?,
            name: name.clone(),
            heartbeat: health.register("event-processor", event_processor::HEARTBEAT_LIMIT),
        };
        let worker = action_worker::RealWorker::configured(
            settings,
            open("worker", action_worker::CONNECTIONS).await?,
            name.clone(),
            health.register("action-worker", action_worker::HEARTBEAT_LIMIT),
        )
        .await?;
        let reading = ChainReaders::new(pool.clone(), &chains, health);
        Ok(Self { pool, reading, processor, worker })
    }

    /// Connections for queries beside the parts.
    pub(crate) fn pool(&self) -> PgPool {
        self.pool.clone()
    }

    /// Runs until `shutdown`, then until each part has finished its work under way.
    pub(crate) async fn run(self, shutdown: CancellationToken) -> Result<()> {
        let Self { pool: _, reading, processor, worker } = self;
        // A chain that cannot go on is told in the log; it does not stop judging and acting.
        let (read, (), ()) = tokio::join!(
            reading.run(shutdown.clone()),
            processor.run(shutdown.clone()),
            worker.run(shutdown.clone())
        );
        read?;
        Ok(())
    }
}
