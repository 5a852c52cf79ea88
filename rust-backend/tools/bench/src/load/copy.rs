//! Rows by COPY: history that is stored before the measurement.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::{Context as _, Result};
use event_engine::job::JobId;
use sqlx::PgPool;
use tokio::task::JoinSet;

use super::Load;
use super::block::{Block, address};
use crate::measuring::progress::Progress;

/// Rows of one COPY, which is one transaction and one block.
const ROWS_TOGETHER: u32 = 1_000;
/// Connections that copy.
const COPIERS: u64 = 2;
const WEEK: i64 = 604_800;

/// The distribution of rows over block time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Spread {
    /// The latest block time.
    pub(crate) until: i64,
    /// The number of weeks before it, with equally many rows each.
    pub(crate) weeks: u32,
}

/// Stores so many rows and returns the jobs that they must become.
pub(crate) async fn store(
    pool: &PgPool,
    load: &Arc<Load>,
    ordinals: &Arc<AtomicU64>,
    (rows, spread): (u32, Spread),
    (what, progress): (&str, &Progress),
) -> Result<Vec<JobId>> {
    let blocks = u64::from(rows.div_ceil(ROWS_TOGETHER));
    let first = ordinals.fetch_add(blocks, Ordering::Relaxed);
    let next = Arc::new(AtomicU64::new(0));
    progress.begin(what, blocks);
    let mut copiers = JoinSet::new();
    for _ in 0..COPIERS {
        let (pool, load, next) = (pool.clone(), Arc::clone(load), Arc::clone(&next));
        copiers.spawn(async move {
            let mut jobs = Vec::new();
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= blocks {
                    return Ok::<_, anyhow::Error>(jobs);
                }
                let rows = ROWS_TOGETHER.min(rows - u32::try_from(number)? * ROWS_TOGETHER);
                let time = spread.time(number, blocks);
                let mut block = load.block_of(first + number, rows, time);
                copy(&pool, &block).await?;
                jobs.append(&mut block.jobs);
            }
        });
    }
    let mut look = tokio::time::interval(std::time::Duration::from_millis(250));
    let mut jobs = Vec::new();
    loop {
        tokio::select! {
            ended = copiers.join_next() => match ended {
                Some(copied) => jobs.append(&mut copied.context("a copier")??),
                None => return Ok(jobs),
            },
            _ = look.tick() => progress.done(next.load(Ordering::Relaxed).min(blocks)),
        }
    }
}

impl Spread {
    /// All rows at one time.
    pub(crate) fn none(at: i64) -> Self {
        Self { until: at, weeks: 1 }
    }

    /// The block time of block `number` of `of`: earlier weeks come first.
    fn time(self, number: u64, of: u64) -> i64 {
        let week = number * u64::from(self.weeks) / of.max(1);
        let weeks_ago = i64::from(self.weeks) - 1 - i64::try_from(week).unwrap_or_default();
        self.until - weeks_ago * WEEK
    }
}

async fn copy(pool: &PgPool, block: &Block) -> Result<()> {
    let mut connection = pool.acquire().await?;
    let mut copy = connection
        .copy_in_raw(
            r#"COPY events (id, chain_id, block_number, block_hash, transaction_hash, log_index,
                            event_type, registry, "timestamp", agent_id, data, address)
               FROM STDIN"#,
        )
        .await?;
    copy.send(text(block).into_bytes()).await?;
    copy.finish().await.context("COPY events")?;
    Ok(())
}

/// The rows in COPY's text format; no value needs escaping.
fn text(block: &Block) -> String {
    let Block { chain, number, hash, timestamp, .. } = block;
    let mut text = String::with_capacity(block.ids.len() * 700);
    for row in 0..block.ids.len() {
        let kind = block.kinds[row];
        let (id, transaction, log_index) =
            (&block.ids[row], &block.transactions[row], block.log_indexes[row]);
        let (agent, data) = (&block.agents[row], &block.data[row]);
        let (event, registry, address) = (kind.event(), kind.registry(), address(kind));
        text.extend([
            format!("{id}\t{chain}\t{number}\t{hash}\t{transaction}\t{log_index}\t"),
            format!("{event}\t{registry}\t{timestamp}\t{agent}\t{data}\t{address}\n"),
        ]);
    }
    text
}
