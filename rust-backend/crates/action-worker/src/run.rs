//! The worker's parts, put together.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use action_queue::{Reader, Sender};
use event_engine::action::ActionConfig;
use event_engine::job::JobId;
use event_engine::retry::RetrySchedule;
use event_store::assignments::{self, Assignment, Loaded};
use event_store::leases::{self, Attempt, Lease};
use event_store::{PgPool, StoreError};
use service::config::{ConfigError, Settings};
use service::health::{self, DefaultPort, Health, Heartbeat};
use service::logs::{self, Destination};
use service::name::unique_name;
use service::signals;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use url::Url;

use crate::act::Means;
use crate::destination::DestinationPolicy;
use crate::destinations::{Destinations, PLACES};
use crate::recorder;
use crate::secret::SecretContext;
use crate::sweep::Sweep;
use crate::webhook::WebhookSender;

/// Connections a worker uses: leases, records, the sweep, one to spare.
pub const CONNECTIONS: u32 = 4;
/// The loop must turn at least this often.
pub const HEARTBEAT_LIMIT: Duration = Duration::from_secs(30);
/// Jobs leased together.
const LEASED_TOGETHER_MAX: usize = 64;
/// Longer than an attempt may take and be recorded; a dead worker's jobs wait this long.
const LEASE: Duration = Duration::from_secs(30);
/// How long a job waits that was leased and could not be looked at, or has changed since.
const AGAIN: Duration = Duration::from_millis(500);
/// Between two tries while Redis or PostgreSQL is away.
const RETRY: Duration = Duration::from_millis(500);
/// To take our name out of the queue at the end. If it stays, another worker removes it.
const LEAVE_MAX: Duration = Duration::from_secs(2);

/// Acts on jobs until it is told to stop.
pub struct Worker {
    /// Connections to the database; [`CONNECTIONS`] are enough.
    pub pool: PgPool,
    /// Where Redis is.
    pub redis_url: String,
    /// Names this worker among others.
    pub name: String,
    /// Sends webhooks where that is permitted.
    pub sender: WebhookSender,
    /// Where secrets are kept.
    pub secrets: SecretContext,
    /// When a failed attempt is repeated.
    pub schedule: RetrySchedule,
    /// Shows that the loop turns.
    pub heartbeat: Heartbeat,
    /// How long attempts under way may take to end after `shutdown`.
    pub grace: Duration,
}

impl Worker {
    /// Runs until `shutdown`: takes nothing more then, and finishes what is under way within the
    /// grace. What is not finished by then is taken up again when its lease runs out.
    ///
    /// # Errors
    /// The URL of Redis does not parse.
    pub async fn run(self, shutdown: CancellationToken) -> action_queue::Result<()> {
        let queue = Sender::new(&self.redis_url)?;
        let mut reader = Reader::new(&self.redis_url, &self.name)?;
        let sweep = Sweep {
            pool: self.pool.clone(),
            sender: queue,
            reader: Reader::new(&self.redis_url, &self.name)?,
            schedule: self.schedule.clone(),
        };
        let sweep = tokio::spawn(sweep.run(shutdown.clone()));
        let (ended, to_record) = mpsc::channel(PLACES);
        let recorder =
            tokio::spawn(recorder::record(self.pool.clone(), self.name.clone(), to_record));
        let desk = Desk {
            pool: self.pool,
            holder: self.name,
            means: Arc::new(Means {
                sender: self.sender,
                secrets: self.secrets,
                schedule: self.schedule,
            }),
            destinations: Destinations::default(),
            places: Arc::new(Semaphore::new(PLACES)),
            under_way: TaskTracker::new(),
            ended,
        };
        desk.work(&mut reader, &self.heartbeat, &shutdown).await;
        // The sweep uses the same name; it ends with the shutdown.
        let left = tokio::spawn(async move {
            if let Err(error) = sweep.await {
                tracing::error!(%error, "The sweep failed");
            }
            if let Ok(Err(error)) = tokio::time::timeout(LEAVE_MAX, reader.leave()).await {
                tracing::warn!(%error, "The queue still has this worker's name");
            }
        });
        desk.under_way.close();
        if tokio::time::timeout(self.grace, desk.under_way.wait()).await.is_err() {
            tracing::warn!(attempts = desk.under_way.len(), "Left unfinished at shutdown");
        } else {
            drop(desk);
            if tokio::time::timeout(self.grace, recorder).await.is_err() {
                tracing::warn!("Attempts were not recorded before shutdown");
            }
        }
        if let Err(error) = left.await {
            tracing::error!(%error, "Leaving the queue failed");
        }
        Ok(())
    }
}

/// The whole life of the process.
pub async fn main() -> anyhow::Result<()> {
    let settings = Settings::load()?;
    logs::init(Destination::Stdout, &settings)?;
    tracing::info!("Starting Action Worker...");
    let shutdown = signals::shutdown_token()?;
    let name = unique_name("action-worker");
    let pool = event_store::open(settings.database_url()?, &name, CONNECTIONS)
        .await
        .map_err(|error| ConfigError::variable("DATABASE_URL", error.to_string()))?;
    let health = Health::default();
    let heartbeat = health.register("action-worker", HEARTBEAT_LIMIT);
    health::start(health, settings.listen, DefaultPort::ACTION_WORKER, shutdown.clone()).await?;
    Worker::configured(&settings, pool, name, heartbeat)?.run(shutdown).await?;
    tracing::info!("Stopped");
    Ok(())
}

impl Worker {
    /// A worker as the settings want it.
    ///
    /// # Errors
    /// The variable that is wrong.
    pub fn configured(
        settings: &Settings,
        pool: PgPool,
        name: String,
        heartbeat: Heartbeat,
    ) -> Result<Self, ConfigError> {
        let policy =
            DestinationPolicy::from_allow_list(&settings.allow_private_destinations.join(","))
                .map_err(|error| {
                    let variable = "AGENTAURI_ALLOW_PRIVATE_DESTINATIONS";
                    ConfigError::variable(variable, error.to_string())
                })?;
        let schedule = match &settings.retry_schedule {
            None => RetrySchedule::default(),
            Some(delays) => RetrySchedule::new(delays.clone()).map_err(|error| {
                ConfigError::variable("AGENTAURI_RETRY_SCHEDULE", error.to_string())
            })?,
        };
        let sender = WebhookSender::new(policy)
            .map_err(|error| ConfigError::variable("TLS", error.to_string()))?;
        Ok(Self {
            pool,
            redis_url: settings.redis_url()?.to_owned(),
            name,
            sender,
            secrets: SecretContext::new(std::env::vars_os(), settings.secrets_dir.clone()),
            schedule,
            heartbeat,
            grace: settings.shutdown_max,
        })
    }
}

/// Where ids become leases, and leases attempts.
struct Desk {
    pool: PgPool,
    holder: String,
    means: Arc<Means>,
    destinations: Destinations,
    places: Arc<Semaphore>,
    under_way: TaskTracker,
    ended: mpsc::Sender<Attempt>,
}

impl Desk {
    async fn work(&self, reader: &mut Reader, heartbeat: &Heartbeat, shutdown: &CancellationToken) {
        let mut failing = false;
        loop {
            heartbeat.beat();
            let turned = tokio::select! {
                biased;
                () = shutdown.cancelled() => return,
                turned = self.turn(reader) => turned,
            };
            match turned {
                Ok(()) => {
                    heartbeat.ready();
                    failing = false;
                }
                Err(error) => {
                    heartbeat.unready();
                    if !failing {
                        tracing::warn!(%error, "No jobs to be had; trying again");
                    }
                    failing = true;
                    tokio::select! {
                        () = shutdown.cancelled() => return,
                        () = tokio::time::sleep(RETRY) => {}
                    }
                }
            }
        }
    }

    /// Reads ids for the places that are free, leases them and starts their attempts.
    async fn turn(&self, reader: &mut Reader) -> anyhow::Result<()> {
        let mut places = vec![self.place().await];
        while places.len() < LEASED_TOGETHER_MAX
            && let Ok(place) = Arc::clone(&self.places).try_acquire_owned()
        {
            places.push(place);
        }
        let ids = reader.next(places.len()).await?;
        if ids.is_empty() {
            return Ok(());
        }
        // From the lease on nothing may be dropped half-way: a shutdown would lose the attempt.
        let desk = self.clone();
        self.under_way.spawn(async move { desk.begin(&ids, places).await }).await??;
        Ok(())
    }

    async fn place(&self) -> OwnedSemaphorePermit {
        Arc::clone(&self.places).acquire_owned().await.expect("the semaphore is never closed")
    }

    async fn begin(
        &self,
        ids: &[JobId],
        mut places: Vec<OwnedSemaphorePermit>,
    ) -> Result<(), StoreError> {
        let leases = leases::take(&self.pool, &self.holder, ids, LEASE).await?;
        if leases.is_empty() {
            return Ok(());
        }
        let loaded = match assignments::load(&self.pool, &leases).await {
            Ok(loaded) => loaded,
            Err(error) => {
                // Where this fails too, the leases run out.
                let back: Vec<_> = leases.into_iter().map(|lease| (lease, AGAIN)).collect();
                let _ = leases::give_back(&self.pool, &self.holder, &back).await;
                return Err(error);
            }
        };
        let mut back: Vec<_> =
            changed_since(leases, &loaded).into_iter().map(|lease| (lease, AGAIN)).collect();
        for (lease, problem) in loaded.unreadable {
            tracing::warn!(job = %lease.id, problem, "A job is about something that does not read");
            self.end(self.means.unreadable(lease, &problem)).await;
        }
        for assignment in loaded.assignments {
            let entered = self.destinations.enter(&destination(&assignment), Instant::now());
            match (entered, places.pop()) {
                (Ok(at), Some(place)) => {
                    let desk = self.clone();
                    self.under_way.spawn(async move {
                        let (attempt, told) = desk.means.act(assignment).await;
                        at.leave(told);
                        drop(place);
                        desk.end(attempt).await;
                    });
                }
                (Err(wait), _) => back.push((assignment.lease, wait)),
                (Ok(_), None) => back.push((assignment.lease, AGAIN)),
            }
        }
        if !back.is_empty() {
            leases::give_back(&self.pool, &self.holder, &back).await?;
        }
        Ok(())
    }

    async fn end(&self, attempt: Attempt) {
        // The recorder outlives every attempt.
        let _ = self.ended.send(attempt).await;
    }
}

impl Clone for Desk {
    fn clone(&self) -> Self {
        Self {
            pool: self.pool.clone(),
            holder: self.holder.clone(),
            means: Arc::clone(&self.means),
            destinations: self.destinations.clone(),
            places: Arc::clone(&self.places),
            under_way: self.under_way.clone(),
            ended: self.ended.clone(),
        }
    }
}

/// Leases whose event changed between the lease and the look at it; the next lease decides.
fn changed_since(leases: Vec<Lease>, loaded: &Loaded) -> Vec<Lease> {
    let readable = loaded.assignments.iter().map(|assignment| assignment.lease.id);
    let unreadable = loaded.unreadable.iter().map(|(lease, _)| lease.id);
    let loaded: BTreeSet<JobId> = readable.chain(unreadable).collect();
    leases.into_iter().filter(|lease| !loaded.contains(&lease.id)).collect()
}

/// What shares one limit: a host and its port.
fn destination(assignment: &Assignment) -> String {
    let Ok(ActionConfig::Webhook { url, .. }) = &assignment.action else {
        return String::new();
    };
    Url::parse(url).ok().map_or_else(String::new, |url| {
        let port = url.port_or_known_default().unwrap_or_default();
        format!("{}:{port}", url.host_str().unwrap_or_default())
    })
}
