//! Servers, proxies, binaries, a receiver and writers: all that one fault is done to.

use std::path::Path;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result, bail};
use event_engine::delivery::job_state::JobState;
use event_store::PgPool;
use event_store::views::overview;
use sqlx::postgres::PgPoolOptions;
use testbed::{Bed, Receiver};

use crate::faults::small_disk::SmallDisk;
use crate::fleet::{self, Fleet, Program};
use crate::load::{self, CHAINS, Load};
use crate::proxy::Proxy;
use crate::verdict::{self, Verdict};

/// Between two looks. Often enough for a figure in hundredths, rare enough not to be a load.
const LOOK: Duration = Duration::from_millis(20);
/// A world that has not begun to work by then never will.
const WARM_UP_MAX: Duration = Duration::from_mins(1);
/// The longest that recovery is watched: a fault without a hand is mended by then or never.
const RECOVERY_MAX: Duration = Duration::from_mins(2);
/// The longest that rest is waited for: twice what a dead worker's leases take.
const REST_MAX: Duration = Duration::from_mins(2);
/// While the server is away, whoever looks is told soon and looks again.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(2);
/// Three writers, the looks and some to spare.
const CONNECTIONS: u32 = 10;
/// An event that has waited this long is judged late.
const AGE_SECONDS_MAX: f64 = 1.0;

/// How long the faults that take as long as they are told take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Span {
    /// As long as they should.
    Full,
    /// As long as continuous integration allows.
    Short,
}

/// All that one fault is done to.
pub struct World {
    /// PostgreSQL and Redis.
    pub bed: Bed,
    /// Before PostgreSQL.
    pub postgres: Proxy,
    /// Before Redis.
    pub redis: Proxy,
    /// The binaries.
    pub fleet: Fleet,
    /// How long a fault lasts whose length is free.
    pub span: Span,
    /// Straight to the server, and soon told where it is away.
    pub direct: PgPool,
    /// Where one was needed; it goes after PostgreSQL.
    pub small_disk: Option<SmallDisk>,
    receiver: Receiver,
    load: Load,
}

/// A moment by our clock and by PostgreSQL's, which is the same machine's.
#[derive(Clone, Copy, Debug)]
pub struct Moment {
    began: Instant,
    epoch_seconds: f64,
}

impl Moment {
    /// This one.
    pub fn now() -> Self {
        let epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self { began: Instant::now(), epoch_seconds: epoch.as_secs_f64() }
    }

    /// How long ago it was.
    pub fn elapsed(&self) -> Duration {
        self.began.elapsed()
    }
}

impl World {
    /// Starts everything, and waits until messages flow.
    ///
    /// # Errors
    /// They do not.
    ///
    /// # Panics
    /// A server does not start.
    pub async fn start(programs: &[Program], seed: u64, span: Span) -> Result<Self> {
        let bed = Bed::start_over_tcp().await;
        let receiver = Receiver::start().await;
        bed.apply(&load::triggers(&receiver.url())).await;
        let postgres = Proxy::before(fleet::port(&bed.postgres.url())?).await?;
        let redis = Proxy::before(fleet::port(&bed.redis.url())?).await?;
        let mut fleet = Fleet::new(&bed, &postgres, &redis)?;
        for program in programs {
            fleet.start(&bed, *program);
        }
        let direct = PgPoolOptions::new()
            .max_connections(CONNECTIONS)
            .acquire_timeout(ACQUIRE_TIMEOUT)
            .connect_lazy(&bed.postgres.url())?;
        let load = Load::start(&direct, seed);
        let small_disk = None;
        let world = Self { bed, postgres, redis, fleet, span, direct, small_disk, receiver, load };
        world.recovery_within(Moment::now(), WARM_UP_MAX).await.context("it does not begin")?;
        Ok(world)
    }

    /// Starts a process.
    pub fn enlist(&mut self, program: Program) {
        self.fleet.start(&self.bed, program);
    }

    /// Rows committed so far.
    pub fn sent(&self) -> u64 {
        self.load.sent()
    }

    /// How long after `since` all was well again: on each chain a message was delivered for an
    /// event inserted later, and no event waits for longer than a second.
    ///
    /// # Errors
    /// It takes minutes.
    pub async fn recovery(&self, since: Moment) -> Result<Duration> {
        self.recovery_within(since, RECOVERY_MAX).await.context("it does not recover")
    }

    async fn recovery_within(&self, since: Moment, limit: Duration) -> Result<Duration> {
        until("work goes on", limit, async || self.is_well_since(since).await).await?;
        Ok(since.elapsed())
    }

    /// A server that does not answer is not well.
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
        overview::status(&self.direct).await.is_ok_and(|status| {
            let mut ages = status.shards.iter().filter_map(|shard| shard.oldest_unjudged_seconds);
            ages.all(|age| age < AGE_SECONDS_MAX)
        })
    }

    /// Stops the writers, waits for rest, and judges what is there. What is not as it should be
    /// beside the verdict is told in sentences.
    ///
    /// # Errors
    /// PostgreSQL's.
    pub async fn end(&mut self) -> Result<(Verdict, Vec<String>)> {
        self.end_within(REST_MAX).await
    }

    /// The same where rest is not to be expected.
    ///
    /// # Errors
    /// PostgreSQL's.
    pub async fn end_within(&mut self, rest_max: Duration) -> Result<(Verdict, Vec<String>)> {
        self.load.stop().await;
        let mut complaints = self.fleet.deserters();
        if let Err(error) = until("rest", rest_max, async || self.rests().await).await {
            complaints.push(error.to_string());
        }
        let messages = self.receiver.messages().clone();
        Ok((verdict::reach(&self.direct, &messages).await?, complaints))
    }

    /// Whether nothing is left to judge and nothing to do.
    async fn rests(&self) -> bool {
        overview::status(&self.direct).await.is_ok_and(|status| {
            let judged = status.shards.iter().all(|shard| shard.entries_behind == 0);
            let open = [JobState::Pending, JobState::Leased]
                .iter()
                .any(|state| status.jobs.contains_key(state));
            judged && !open
        })
    }

    /// Writes what the processes and PostgreSQL said into a folder.
    ///
    /// # Errors
    /// The system's.
    pub fn keep_logs(&self, folder: &Path) -> Result<()> {
        std::fs::create_dir_all(folder)?;
        std::fs::copy(self.bed.postgres.log_path(), folder.join("postgres.log"))?;
        self.fleet.keep_logs(folder)
    }
}

/// Looks until it holds.
///
/// # Errors
/// It does not within the limit.
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
