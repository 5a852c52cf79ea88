//! The processor's parts, put together.

use std::time::Duration;

use action_queue::{QueueError, Sender, StreamName};
use event_engine::job::JobId;
use event_engine::log::{Entry, Subject};
use event_store::chain::known_chains::{self, NamedBy};
use event_store::{PgPool, PgShards};
use service::config::{ConfigError, Settings};
use service::health::{self, DefaultPort, Health, Heartbeat};
use service::logs::{self, LogStream};
use service::name::unique_name;
use service::signals;
use tokio_util::sync::CancellationToken;

use crate::announcer::Announcer;
use crate::gate::gate;
use crate::listener::Listener;
use crate::measures;
use crate::processor_loop::{BatchObserver, ProcessorLoop, TICK};
use crate::queue_pusher::QueuePusher;
use crate::wake::Wake;
use crate::watch::Watch;

/// Connections that a processor needs in its pool: for the watch, the gate and rare questions. The
/// judging, surveying and listening ones are beside it.
pub const CONNECTIONS: u32 = 3;

/// Judges the events of a database until it is told to stop.
pub struct Processor {
    /// Connections to the database; [`CONNECTIONS`] are enough.
    pub pool: PgPool,
    /// The queue of new jobs' ids.
    pub queue: Sender,
    /// Names this processor among others.
    pub name: String,
    /// Beats in each cycle of the loop.
    pub heartbeat: Heartbeat,
}

impl Processor {
    /// Runs until `shutdown`; then finishes the running batches and pushes their jobs.
    pub async fn run(self, shutdown: CancellationToken) {
        self.run_with_tick(TICK, shutdown).await;
    }

    /// Likewise with another longest sleep: a long one shows the events that only the tick finds.
    pub async fn run_with_tick(self, tick: Duration, shutdown: CancellationToken) {
        measures::describe();
        let wake = Wake::default();
        let announcer = Announcer::default();
        let (pusher, pushing) = QueuePusher::new(self.queue);
        let pushing = tokio::spawn(pushing);
        let (gate, keeper) = gate();
        let listener = Listener {
            pool: self.pool.clone(),
            wake: wake.clone(),
            announcer: announcer.clone(),
            keeper,
        };
        let listening = tokio::spawn(listener.listen(shutdown.clone()));
        let shards = PgShards::new(self.pool.clone(), &self.name);
        let watch = Watch {
            pool: self.pool,
            shards: shards.clone(),
            heartbeat: self.heartbeat.clone(),
            held: String::new(),
        };
        let watching = tokio::spawn(watch.watch(shutdown.clone()));
        let observer = ProcessorObserver { pusher, announcer, heartbeat: self.heartbeat };
        // Its end drops the pusher, which ends the pushing of the remaining ids.
        ProcessorLoop::new(shards, observer, wake, gate, tick).run(&shutdown).await;
        for task in [pushing, listening, watching] {
            if let Err(error) = task.await {
                tracing::error!(%error, "A part of the processor failed");
            }
        }
    }
}

/// Pushes new jobs, logs events and beats.
struct ProcessorObserver {
    pusher: QueuePusher,
    announcer: Announcer,
    heartbeat: Heartbeat,
}

impl BatchObserver for ProcessorObserver {
    fn on_jobs(&self, jobs: Vec<JobId>) {
        self.pusher.enqueue(jobs);
    }

    fn on_judged(&self, entries: &[Entry]) {
        measures::lateness(entries);
        for entry in entries {
            if let Subject::Event { row: Some(event), .. } = &entry.subject {
                self.announcer.processed(event);
            }
        }
    }

    fn on_cycle(&self, obstacle: Option<&str>) {
        self.heartbeat.beat();
        match obstacle {
            None => self.heartbeat.ready(),
            Some(why) => self.heartbeat.unready(why),
        }
        self.announcer.settle();
    }
}

/// The longest time between two cycles of a healthy loop: a batch on a slow disk may take seconds.
pub const HEARTBEAT_LIMIT: Duration = Duration::from_secs(30);

/// Runs the process: reads the settings, connects, judges until a signal.
pub async fn main() -> anyhow::Result<()> {
    let settings = Settings::load()?;
    logs::init(LogStream::Stdout, &settings)?;
    let shutdown = signals::shutdown_token()?;
    tracing::info!("Starting Event Processor...");
    let name = unique_name("event-processor");
    let pool = event_store::open(settings.database_url()?, &name, CONNECTIONS)
        .await
        .map_err(|error| ConfigError::variable("DATABASE_URL", error.to_string()))?;
    name_chains(&pool, &settings).await?;
    let queue = connect(settings.redis_url()?, &pool).await?;
    let health = Health::default();
    let heartbeat = health.register("event-processor", HEARTBEAT_LIMIT);
    health::start(health, settings.listen, DefaultPort::EVENT_PROCESSOR, shutdown.clone()).await?;
    Processor { pool, queue, name, heartbeat }.run(shutdown).await;
    tracing::info!("Stopped");
    Ok(())
}

/// Stores the chains of `agentauri.toml` as known: they are surveyed one by one.
pub async fn name_chains(pool: &PgPool, settings: &Settings) -> Result<(), ConfigError> {
    let chains: Vec<i64> = settings.chain_ids().values().copied().collect();
    let named = async {
        let mut connection = pool.acquire().await?;
        known_chains::name(&mut connection, &chains, NamedBy::File).await
    };
    event_store::answered(named)
        .await
        .map_err(|error| ConfigError::variable("DATABASE_URL", error.to_string()))
}

/// Connects to the queue of the installation in that database. A refused login is an error; a
/// server that is absent or does not serve is not, because judging goes on without it.
pub async fn connect(redis_url: &str, pool: &PgPool) -> Result<Sender, ConfigError> {
    let refused = |error: QueueError| ConfigError::variable("REDIS_URL", error.to_string());
    let database_id = event_store::database_id(pool)
        .await
        .map_err(|error| ConfigError::variable("DATABASE_URL", error.to_string()))?;
    let queue = Sender::new(redis_url, &StreamName::of(&database_id)).map_err(refused)?;
    match queue.ping().await {
        Ok(()) => tracing::info!("Connected to Redis"),
        Err(error @ (QueueError::Unavailable(_) | QueueError::Refused { .. })) => {
            tracing::warn!(%error, "Redis is away; judging begins without it");
        }
        Err(error) => return Err(refused(error)),
    }
    Ok(queue)
}
