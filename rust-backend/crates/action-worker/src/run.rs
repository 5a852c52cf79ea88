//! The worker over PostgreSQL, Redis and HTTP.

use std::time::Duration;

use action_queue::{QueueConsumer, QueueError, Sender, StreamName};
use actions::policy::DestinationPolicy;
use event_store::{PgLeases, PgPool};
use service::config::{ConfigError, Settings};
use service::health::{self, DefaultPort, Health, Heartbeat};
use service::logs::{self, LogStream};
use service::name::unique_name;
use service::signals;

use crate::act::Jitter;
use crate::senders::Senders;
use crate::senders::secrets::SecretContext;
use crate::worker::Worker;

/// Connections a worker uses: leases, records, the sweep, one to spare.
pub const CONNECTIONS: u32 = 4;
/// The loop must turn at least this often.
pub const HEARTBEAT_LIMIT: Duration = Duration::from_secs(30);

/// A worker as it is shipped.
pub type RealWorker = Worker<PgLeases, Sender, QueueConsumer, Senders>;

/// The whole life of the process.
pub async fn main() -> anyhow::Result<()> {
    let settings = Settings::load()?;
    logs::init(LogStream::Stdout, &settings)?;
    let shutdown = signals::shutdown_token()?;
    tracing::info!("Starting Action Worker...");
    let name = unique_name("action-worker");
    let pool = event_store::open(settings.database_url()?, &name, CONNECTIONS)
        .await
        .map_err(|error| ConfigError::variable("DATABASE_URL", error.to_string()))?;
    let health = Health::default();
    let heartbeat = health.register("action-worker", HEARTBEAT_LIMIT);
    health::start(health, settings.listen, DefaultPort::ACTION_WORKER, shutdown.clone()).await?;
    let worker = Worker::configured(&settings, pool, name, heartbeat).await?;
    Box::pin(worker.run(shutdown)).await;
    tracing::info!("Stopped");
    Ok(())
}

impl RealWorker {
    /// A worker as the settings want it.
    ///
    /// # Errors
    /// The variable that is wrong, or a database that does not answer.
    pub async fn configured(
        settings: &Settings,
        pool: PgPool,
        name: String,
        heartbeat: Heartbeat,
    ) -> Result<Self, ConfigError> {
        let policy = DestinationPolicy::new(settings.allow_private_destinations.clone());
        let redis_url = settings.redis_url()?;
        let no_queue = |error: QueueError| ConfigError::variable("REDIS_URL", error.to_string());
        let database_id = event_store::database_id(&pool)
            .await
            .map_err(|error| ConfigError::variable("DATABASE_URL", error.to_string()))?;
        let stream = StreamName::of(&database_id);
        let inbox = || QueueConsumer::new(redis_url, &stream, &name).map_err(no_queue);
        let secrets = SecretContext::new(std::env::vars_os(), settings.secrets_dir.clone());
        let performer = Senders::new(policy, secrets)
            .map_err(|error| ConfigError::variable("TLS", error.to_string()))?;
        Ok(Self {
            leases: PgLeases::new(pool),
            queue: Sender::new(redis_url, &stream).map_err(no_queue)?,
            inbox: inbox()?,
            inbox_of_sweep: inbox()?,
            performer,
            name,
            schedule: settings.retry_schedule.clone().unwrap_or_default(),
            jitter: Jitter::default(),
            heartbeat,
            grace: settings.shutdown_max,
        })
    }
}
