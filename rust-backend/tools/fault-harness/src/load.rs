//! Continuous writers: a few hundred rows a second on three chains, by plain INSERT as strangers
//! do.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use event_store::PgPool;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use testbed::{Row, trigger_file};
use tokio::task::JoinHandle;
use tokio::time::{MissedTickBehavior, interval, timeout};
use tokio_util::sync::CancellationToken;

/// The chains, each with one writer.
pub const CHAINS: [i64; 3] = [1, 8453, 11_155_111];
const REGISTRIES: [&str; 3] = ["identity", "reputation", "validation"];
/// Interval between a writer's transactions.
const PERIOD: Duration = Duration::from_millis(50);
/// Rows in a transaction at most; half of it on average.
const ROWS_MAX: u64 = 10;
/// Of so many transactions one is rolled back.
const ROLLED_BACK: u32 = 10;
/// Of so many transactions one moves an earlier event to another block.
const MOVED: u32 = 6;
/// Of so many transactions one invalidates an earlier event, or makes it valid again.
const INVALIDATED: u32 = 12;
/// Limit of a transaction: a server that is away does not answer, and the next one tries again.
const TRANSACTION_MAX: Duration = Duration::from_secs(5);
const TIME: i64 = 1_750_000_000;
/// Rows of a chain in a second of block time: all revised events are then younger than the hour of
/// a state's retention.
const ROWS_A_SECOND: i64 = 64;

/// The trigger with state.
pub const COUNTED: &str = "counted";

/// Triggers that match most of the rows. The verdict's SQL repeats them.
pub fn triggers(url: &str) -> String {
    let triggers = [
        ("validations", "registry: validation"),
        ("low-score", "registry: reputation\n    when: score < 50"),
        // It observes each event, and its state must be complete after each fault.
        (COUNTED, "registry: identity\n    group_by: agent_id\n    when: count(30d) >= 1"),
    ];
    trigger_file(url, &triggers)
}

/// Running writers.
pub struct Load {
    sent: Arc<AtomicU64>,
    stop: CancellationToken,
    writers: Vec<JoinHandle<()>>,
}

impl Load {
    /// Starts a writer for each chain. The same seed makes the same rows.
    pub fn start(pool: &PgPool, seed: u64) -> Self {
        let (sent, stop) = (Arc::default(), CancellationToken::new());
        let writers = CHAINS.map(|chain_id| {
            let writer = Writer {
                pool: pool.clone(),
                chain_id,
                dice: StdRng::seed_from_u64(seed ^ chain_id.unsigned_abs()),
                made: 0,
                sent: Arc::clone(&sent),
            };
            let stop = stop.clone();
            tokio::spawn(
                async move { stop.run_until_cancelled(writer.write()).await.unwrap_or(()) },
            )
        });
        Self { sent, stop, writers: writers.into() }
    }

    /// Rows committed so far, as far as the writers know.
    pub fn sent(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }

    /// Stops the writers. A transaction under way is rolled back, or was committed.
    pub async fn stop(&mut self) {
        self.stop.cancel();
        for writer in self.writers.drain(..) {
            // A writer that failed has written less; the verdict uses the rows that exist.
            let _ = writer.await;
        }
    }
}

struct Writer {
    pool: PgPool,
    chain_id: i64,
    dice: StdRng,
    made: u64,
    sent: Arc<AtomicU64>,
}

impl Writer {
    async fn write(mut self) {
        let mut ticks = interval(PERIOD);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
        loop {
            ticks.tick().await;
            let batch = self.batch();
            let rows = batch.rows.len() as u64;
            // A transaction that the server refuses or does not answer is the writer's loss, not
            // ours.
            if let Ok(Ok(true)) = timeout(TRANSACTION_MAX, batch.write(&self.pool)).await {
                self.sent.fetch_add(rows, Ordering::Relaxed);
            }
        }
    }

    fn batch(&mut self) -> Batch {
        let size = self.dice.random_range(1..=ROWS_MAX);
        let rows = (0..size).map(|_| self.row()).collect();
        let earlier = self.dice.random_range(0..self.made);
        let block = self.dice.random_range(0..1_000_000_u32);
        let moved = self
            .dice
            .random_ratio(1, MOVED)
            .then(|| Row { block_hash: format!("0xfork{block}"), ..self.row_number(earlier) });
        let turned = self.dice.random_ratio(1, INVALIDATED).then(|| self.row_number(earlier / 2));
        Batch { rows, moved, turned, roll_back: self.dice.random_ratio(1, ROLLED_BACK) }
    }

    fn row(&mut self) -> Row {
        self.made += 1;
        self.row_number(self.made - 1)
    }

    /// The same row for the same number, so that an event may be written again later.
    fn row_number(&self, number: u64) -> Row {
        let mut dice = StdRng::seed_from_u64(number ^ self.chain_id.unsigned_abs() << 32);
        let block_number = i64::try_from(number).unwrap_or(i64::MAX);
        Row {
            chain_id: self.chain_id,
            registry: REGISTRIES[dice.random_range(0..REGISTRIES.len())].to_owned(),
            block_number,
            timestamp: TIME + block_number / ROWS_A_SECOND,
            ..Row::feedback(&format!("{}-{number}", self.chain_id), dice.random_range(0..100))
        }
    }
}

/// One transaction.
struct Batch {
    rows: Vec<Row>,
    /// An event to move to another block, which inserts it if it is not there.
    moved: Option<Row>,
    /// An event to invalidate, or to make valid again.
    turned: Option<Row>,
    roll_back: bool,
}

impl Batch {
    /// True if it was committed.
    async fn write(self, pool: &PgPool) -> sqlx::Result<bool> {
        let mut transaction = pool.begin().await?;
        for row in &self.rows {
            row.insert(&mut *transaction).await?;
        }
        if let Some(row) = &self.moved {
            row.upsert(&mut *transaction).await?;
        }
        if let Some(row) = &self.turned {
            sqlx::query("UPDATE events SET invalidated = NOT invalidated WHERE id = $1")
                .bind(&row.id)
                .execute(&mut *transaction)
                .await?;
        }
        if self.roll_back {
            transaction.rollback().await?;
            return Ok(false);
        }
        transaction.commit().await?;
        Ok(true)
    }
}
