//! Drives the writers for a while, and measures meanwhile.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result, bail};
use sqlx::{PgConnection, PgPool};
use tokio::task::JoinSet;

use super::Load;
use super::block::{Block, address};
use super::ledger::{Ledger, Tally};
use super::schedule::{Clock, LoadSchedule};
use crate::measuring::cpu::{self, Spent, Watched};
use crate::measuring::progress::Progress;

/// Connections that insert: one indexer per chain.
pub(crate) const WRITERS: u32 = super::CHAINS;
/// Time without a job after which the remaining ones count as lost.
const SILENCE_MAX: Duration = Duration::from_secs(5);
/// Time after the window within which jobs still count as in time.
const GRACE: Duration = Duration::from_millis(250);
const LOOK: Duration = Duration::from_millis(20);

/// The parameters of a run.
pub(crate) struct Course<'a> {
    pub(crate) pool: &'a PgPool,
    pub(crate) load: &'a Arc<Load>,
    pub(crate) ledger: &'a Arc<Ledger>,
    pub(crate) ordinals: &'a Arc<AtomicU64>,
    pub(crate) watched: &'a [Watched],
    pub(crate) schedule: LoadSchedule,
    pub(crate) warm_up: Duration,
    pub(crate) measured: Duration,
}

/// The results of the measured time.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) tally: Tally,
    pub(crate) spent: Spent,
}

impl Run {
    /// Events a second whose jobs were all seen.
    #[expect(clippy::cast_precision_loss, reason = "fewer than 2^52 events")]
    pub(crate) fn events_per_second(&self) -> f64 {
        self.tally.finished_within as f64 / self.spent.elapsed.as_secs_f64()
    }

    /// Microseconds of CPU per such event.
    #[expect(clippy::cast_precision_loss, reason = "fewer than 2^52 events")]
    pub(crate) fn per_event_us(&self, spent: Duration) -> f64 {
        spent.as_secs_f64() * 1e6 / (self.tally.finished_within as f64).max(1.0)
    }

    /// The share of the offered events whose jobs came in time.
    #[expect(clippy::cast_precision_loss, reason = "fewer than 2^52 events")]
    pub(crate) fn achieved(&self, per_second: u32) -> f64 {
        let offered = f64::from(per_second) * self.spent.elapsed.as_secs_f64();
        self.tally.due_and_finished as f64 / offered.max(1.0)
    }
}

/// Inserts at the given schedule, measures after the warm-up, and waits for the last job.
pub(crate) async fn drive(course: Course<'_>, what: &str, progress: &Progress) -> Result<Run> {
    let Course { ledger, watched, .. } = course;
    let clock = Arc::new(Clock::start(course.schedule, ledger));
    let mut writers = JoinSet::new();
    for _ in 0..WRITERS {
        writers.spawn(write(
            course.pool.clone(),
            Arc::clone(course.load),
            Arc::clone(ledger),
            Arc::clone(course.ordinals),
            Arc::clone(&clock),
        ));
    }
    let measuring = async {
        progress.pass(&format!("{what}: warming up"), course.warm_up).await;
        ledger.open_window();
        let before = cpu::read(watched);
        progress.pass(what, course.measured).await;
        ledger.close_window();
        let spent = cpu::read(watched).since(&before);
        tokio::time::sleep(GRACE).await;
        (ledger.tally(), spent)
    };
    let (tally, spent) = tokio::select! {
        measured = measuring => measured,
        // Before the end only an error ends a writer.
        Some(ended) = writers.join_next() => {
            ended.context("a writer")??;
            bail!("a writer ended before its time");
        }
    };
    clock.stop();
    while let Some(ended) = writers.join_next().await {
        ended.context("a writer")??;
    }
    settle(ledger).await;
    Ok(Run { tally, spent })
}

/// Waits until every job has come, or no more come.
pub(crate) async fn settle(ledger: &Ledger) {
    let mut open = ledger.open();
    let mut since = Instant::now();
    while open > 0 && since.elapsed() < SILENCE_MAX {
        tokio::time::sleep(LOOK).await;
        let now = ledger.open();
        if now != open {
            (open, since) = (now, Instant::now());
        }
    }
}

async fn write(
    pool: PgPool,
    load: Arc<Load>,
    ledger: Arc<Ledger>,
    ordinals: Arc<AtomicU64>,
    clock: Arc<Clock>,
) -> Result<()> {
    let mut connection = pool.acquire().await?;
    loop {
        // Made before it is due, so that making it is not measured.
        let ordinal = ordinals.fetch_add(1, Ordering::Relaxed);
        let block = load.block(ordinal, now());
        let Some(due) = clock.next().await else { return Ok(()) };
        ledger.expect(ordinal, &block.jobs, block.ids.len(), due);
        insert(&mut connection, &block).await?;
        ledger.inserted(ordinal, due, Instant::now());
    }
}

/// The time in unix seconds.
pub(crate) fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}

/// Inserts a block in a transaction of its own, as any writer may.
pub(crate) async fn insert(connection: &mut PgConnection, block: &Block) -> Result<()> {
    let registries: Vec<&str> = block.kinds.iter().map(|kind| kind.registry()).collect();
    let types: Vec<&str> = block.kinds.iter().map(|kind| kind.event()).collect();
    let addresses: Vec<&str> = block.kinds.iter().map(|kind| address(*kind)).collect();
    sqlx::query(
        r#"INSERT INTO events (id, chain_id, block_number, block_hash, transaction_hash, log_index,
                               event_type, registry, "timestamp", agent_id, data, address)
           SELECT id, $1, $2, $3, transaction_hash, log_index, event_type, registry, $4,
                  agent_id::numeric, data::jsonb, address
           FROM unnest($5::text[], $6::text[], $7::integer[], $8::text[], $9::text[], $10::text[],
                       $11::text[], $12::text[])
                AS new (id, transaction_hash, log_index, event_type, registry, agent_id, data,
                        address)
           ON CONFLICT DO NOTHING"#,
    )
    .bind(block.chain)
    .bind(block.number)
    .bind(&block.hash)
    .bind(block.timestamp)
    .bind(&block.ids)
    .bind(&block.transactions)
    .bind(&block.log_indexes)
    .bind(&types)
    .bind(&registries)
    .bind(&block.agents)
    .bind(&block.data)
    .bind(&addresses)
    .execute(connection)
    .await
    .context("INSERT INTO events")?;
    Ok(())
}
