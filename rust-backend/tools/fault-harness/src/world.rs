//! The world that a fault strikes: servers, proxies, binaries, a receiver and writers.

use std::path::Path;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result, bail};
use event_engine::delivery::job_state::JobState;
use event_store::PgPool;
use event_store::views::status;
use sqlx::postgres::PgPoolOptions;
use testbed::{Bed, Postgres, Receiver, Redis};

use crate::faults::small_disk::SmallDisk;
use crate::fleet::{self, Fleet, Program};
use crate::load::{self, CHAINS, Load};
use crate::proxy::Proxy;
use crate::verdict::{self, Verdict};

/// Interval of polls: often enough for figures in hundredths of a second, rare enough to cost
/// little.
const LOOK: Duration = Duration::from_millis(20);
/// Time for a world to begin its work.
const WARM_UP_MAX: Duration = Duration::from_mins(1);
/// The longest time to wait for a recovery, which comes by itself until then or never.
const RECOVERY_MAX: Duration = Duration::from_mins(2);
/// The longest time to wait for rest: twice that of a dead worker's leases.
const REST_MAX: Duration = Duration::from_mins(2);
/// Short, so that a poll fails soon while the server is away, and the next one is made.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(2);
/// For three writers and the polls, with some to spare.
const CONNECTIONS: u32 = 10;
/// Age from which an unjudged event counts as late.
const AGE_SECONDS_MAX: f64 = 1.0;

/// The length of the faults whose length is free.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Span {
    /// The full length.
    Full,
    /// A length for continuous integration.
    Short,
}

/// A fault's surroundings.
pub struct World {
    /// PostgreSQL and Redis.
    pub bed: Bed,
    /// The proxy before PostgreSQL.
    pub postgres: Proxy,
    /// The proxy before Redis.
    pub redis: Proxy,
    /// The binaries.
    pub fleet: Fleet,
    /// The length of faults whose length is free.
    pub span: Span,
    /// The proxy before PostgreSQL for all but the binaries. It is never harmed.
    pub way: Proxy,
    /// Connections by that way, which fail soon while the server is away.
    pub direct: PgPool,
    /// A second PostgreSQL or Redis, if a fault needed one.
    pub second: Second,
    /// The small disk of [`Self::bed`], if a fault needed one. Declared later, because it must
    /// outlive PostgreSQL.
    pub small_disk: Option<SmallDisk>,
    receiver: Receiver,
    load: Load,
}

/// Servers that take over from those of a bed.
#[derive(Default)]
pub struct Second {
    /// A standby, promoted or not.
    pub postgres: Option<Postgres>,
    /// A replica, promoted or not.
    pub redis: Option<Redis>,
}

/// A moment by our clock and PostgreSQL's, which is the same machine's.
#[derive(Clone, Copy, Debug)]
pub struct Moment {
    began: Instant,
    epoch_seconds: f64,
}

impl Moment {
    /// The present moment.
    pub fn now() -> Self {
        let epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self { began: Instant::now(), epoch_seconds: epoch.as_secs_f64() }
    }

    /// The time since then.
    pub fn elapsed(&self) -> Duration {
        self.began.elapsed()
    }
}

impl World {
    /// Starts everything and waits until messages flow.
    ///
    /// # Errors
    /// No message arrives in time.
    ///
    /// # Panics
    /// A server does not start.
    pub async fn start(programs: &[Program], seed: u64, span: Span) -> Result<Self> {
        let bed = Bed::start_over_tcp().await;
        let receiver = Receiver::start().await;
        bed.apply(&load::triggers(&receiver.url())).await;
        let postgres = Proxy::before(fleet::port(&bed.postgres.url())?).await?;
        let redis = Proxy::before(fleet::port(&bed.redis.url())?).await?;
        let way = Proxy::before(fleet::port(&bed.postgres.url())?).await?;
        let mut fleet = Fleet::new(&bed, &postgres, &redis)?;
        for program in programs {
            fleet.start(&bed, *program);
        }
        let direct = PgPoolOptions::new()
            .max_connections(CONNECTIONS)
            .acquire_timeout(ACQUIRE_TIMEOUT)
            .connect_lazy(&fleet::through(&way, &bed.postgres.url())?)?;
        let load = Load::start(&direct, seed);
        let (small_disk, second) = (None, Second::default());
        let world = Self {
            bed,
            postgres,
            redis,
            fleet,
            span,
            way,
            direct,
            second,
            small_disk,
            receiver,
            load,
        };
        world.recovery_within(Moment::now(), WARM_UP_MAX).await.context("it does not begin")?;
        Ok(world)
    }

    /// The receiver.
    pub fn receiver(&self) -> &Receiver {
        &self.receiver
    }

    /// Starts a process.
    pub fn start_process(&mut self, program: Program) {
        self.fleet.start(&self.bed, program);
    }

    /// Rows committed so far.
    pub fn sent(&self) -> u64 {
        self.load.sent()
    }

    /// Time from `since` until the system is well: on each chain a message was delivered for an
    /// event inserted later, and no event has waited for longer than a second.
    ///
    /// # Errors
    /// It does not recover within two minutes.
    pub async fn recovery(&self, since: Moment) -> Result<Duration> {
        self.recovery_within(since, RECOVERY_MAX).await.context("it does not recover")
    }

    async fn recovery_within(&self, since: Moment, limit: Duration) -> Result<Duration> {
        until("work goes on", limit, async || self.is_well_since(since).await).await?;
        Ok(since.elapsed())
    }

    /// False while the server does not answer.
    async fn is_well_since(&self, since: Moment) -> bool {
        let chains = sqlx::query_scalar(
            r#"SELECT count(DISTINCT e.chain_id)
               FROM jobs j
               JOIN events e ON e.id = j.event_id AND e."timestamp" = j.event_timestamp
               WHERE j.state = 'delivered' AND j.created_at > to_timestamp($1)
                 AND e.created_at > to_timestamp($1)"#,
        )
        .bind(since.epoch_seconds)
        .fetch_one(&self.direct)
        .await;
        if !chains.is_ok_and(|chains: i64| usize::try_from(chains) == Ok(CHAINS.len())) {
            return false;
        }
        status::read(&self.direct).await.is_ok_and(|status| {
            let mut ages = status.shards.iter().filter_map(|shard| shard.oldest_unjudged_seconds);
            ages.all(|age| age < AGE_SECONDS_MAX)
        })
    }

    /// Stops the writers, waits for rest, and judges the result. Deviations outside of the verdict
    /// are returned as sentences.
    ///
    /// # Errors
    /// PostgreSQL's.
    pub async fn end(&mut self) -> Result<(Verdict, Vec<String>)> {
        self.end_within(REST_MAX).await
    }

    /// The same with another limit, for a world that may not come to rest.
    ///
    /// # Errors
    /// PostgreSQL's.
    pub async fn end_within(&mut self, rest_max: Duration) -> Result<(Verdict, Vec<String>)> {
        self.load.stop().await;
        let mut complaints = self.fleet.unexpected_ends();
        if let Err(error) = until("rest", rest_max, async || self.rests().await).await {
            complaints.push(error.to_string());
        }
        let messages = self.receiver.messages().clone();
        Ok((verdict::reach(&self.direct, &messages).await?, complaints))
    }

    /// True if no entry is left to judge and no job to do.
    async fn rests(&self) -> bool {
        status::read(&self.direct).await.is_ok_and(|status| {
            let judged = status.shards.iter().all(|shard| shard.entries_behind == 0);
            let open = [JobState::Pending, JobState::Held, JobState::Leased]
                .iter()
                .any(|state| status.jobs.contains_key(state));
            judged && !open
        })
    }

    /// Writes the output of the processes and PostgreSQL's log into a folder.
    ///
    /// # Errors
    /// The system's.
    pub fn keep_logs(&self, folder: &Path) -> Result<()> {
        std::fs::create_dir_all(folder)?;
        std::fs::copy(self.bed.postgres.log_path(), folder.join("postgres.log"))?;
        self.fleet.keep_logs(folder)
    }
}

/// Polls until `holds` is true.
///
/// # Errors
/// It is not true within the limit.
pub async fn until(
    what: &str,
    limit: Duration,
    mut holds: impl AsyncFnMut() -> bool,
) -> Result<()> {
    let began = Instant::now();
    while !holds().await {
        if began.elapsed() > limit {
            bail!("waited {limit:?} for this: {what}");
        }
        tokio::time::sleep(LOOK).await;
    }
    Ok(())
}
