//! The processor's parts, put together.

use std::time::Duration;

use action_queue::{QueueError, Sender};
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

use crate::announce::Announcer;
use crate::gate::gate;
use crate::listener::Listener;
use crate::measures;
use crate::push::{self, Outlet};
use crate::wake::Wake;
use crate::watch::Watch;
use crate::wheel::{self, Audience, Wheel};

/// Connections a processor needs in its pool: for the watch, the gate, and what is asked now and
/// then. Those that judge, the one that surveys and the one that listens are beside it.
pub const CONNECTIONS: u32 = 3;

/// Judges the events of a database until it is told to stop.
pub struct Processor {
    /// Connections to the database; [`CONNECTIONS`] are enough.
    pub pool: PgPool,
    /// Where ids of new jobs go.
    pub queue: Sender,
    /// Names this processor among others.
    pub name: String,
    /// Shows that the loop turns.
    pub heartbeat: Heartbeat,
}

impl Processor {
    /// Runs until `shutdown`. What has been judged is committed, and its jobs are handed over.
    pub async fn run(self, shutdown: CancellationToken) {
        self.run_with_tick(wheel::TICK, shutdown).await;
    }

    /// The same with another longest sleep: with a long one, what only the tick would find shows.
    pub async fn run_with_tick(self, tick: Duration, shutdown: CancellationToken) {
        measures::describe();
        let wake = Wake::default();
        let announcer = Announcer::default();
        let (outlet, emptied) = push::outlet(self.queue);
        let emptied = tokio::spawn(emptied);
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
        let audience = Herald { outlet, announcer, heartbeat: self.heartbeat };
        let wheel = Wheel::new(shards, audience, wake, gate, tick);
        // With the wheel the last outlet goes; then the rest is pushed.
        wheel.run(&shutdown).await;
        for task in [emptied, listening, watching] {
            if let Err(error) = task.await {
                tracing::error!(%error, "A part of the processor failed");
            }
        }
    }
}

/// Passes on what was judged: ids to the queue, a line to the log, a sign of life.
struct Herald {
    outlet: Outlet,
    announcer: Announcer,
    heartbeat: Heartbeat,
}

impl Audience for Herald {
    fn decided(&self, jobs: Vec<JobId>) {
        self.outlet.leave(jobs);
    }

    fn judged(&self, entries: &[Entry]) {
        measures::lateness(entries);
        for entry in entries {
            if let Subject::Event { row: Some(event), .. } = &entry.subject {
                self.announcer.processed(event);
            }
        }
    }

    fn turned(&self, answered: bool) {
        self.heartbeat.beat();
        if answered {
            self.heartbeat.ready();
        } else {
            self.heartbeat.unready();
        }
        self.announcer.settle();
    }
}

/// The loop must turn at least this often; a batch over a slow disk may take seconds.
pub const HEARTBEAT_LIMIT: Duration = Duration::from_secs(30);

/// The whole life of the process.
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
    let queue = connect(settings.redis_url()?).await?;
    let health = Health::default();
    let heartbeat = health.register("event-processor", HEARTBEAT_LIMIT);
    health::start(health, settings.listen, DefaultPort::EVENT_PROCESSOR, shutdown.clone()).await?;
    Processor { pool, queue, name, heartbeat }.run(shutdown).await;
    tracing::info!("Stopped");
    Ok(())
}

/// Notes the chains of `agentauri.toml`: they are looked after one by one.
///
/// # Errors
/// The database does not take it.
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

/// A queue that refuses us is refused; one that is away is waited for while judging goes on.
pub async fn connect(redis_url: &str) -> Result<Sender, ConfigError> {
    let refused = |error: QueueError| ConfigError::variable("REDIS_URL", error.to_string());
    let queue = Sender::new(redis_url).map_err(refused)?;
    match queue.ping().await {
        Ok(()) => tracing::info!("Connected to Redis"),
        Err(error @ QueueError::Unavailable(_)) => {
            tracing::warn!(%error, "Redis is away; judging begins without it");
        }
        Err(error) => return Err(refused(error)),
    }
    Ok(queue)
}
