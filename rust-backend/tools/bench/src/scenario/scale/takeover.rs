//! Time until the shards of a lost process are judged by others, counted from the signal to it,
//! while all shards are written to.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use rustix::process::Signal;
use sqlx::PgPool;
use tokio::task::JoinSet;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::load::{self, CHAINS};
use crate::round::Round;
use crate::stand::{Child, Stand};

/// Connections that write blocks of `ROWS` rows.
const WRITERS: usize = 4;
const ROWS: u32 = 2;
/// Interval of a writer's blocks: each chain gets a block every eighth of a second.
const PERIOD: Duration = Duration::from_millis(20);
/// Time for a stopped process to work again before the audit.
const BACK_AGAIN: Duration = Duration::from_secs(2);
/// Time after which a takeover has failed.
const TAKEOVER_MAX: Duration = Duration::from_secs(30);
/// Tries to stop a process amid a batch, which succeeds often enough.
const TRIES_MAX: u32 = 200;
/// Time for a statement that was under way when its client was stopped.
const ANSWERED: Duration = Duration::from_millis(20);
const LOOK: Duration = Duration::from_millis(5);

/// Kills one process amid a batch, then stops another and continues it.
pub(super) async fn measure(round: &mut Round<'_>, stand: &mut Stand, case: &str) -> Result<()> {
    round.progress.begin(&format!("{}: one of them is gone", round.title(case)), 2);
    let (end, mut writers) = write(stand);
    let killed = stop(&stand.servers.pool, &stand.processors[0]).await?;
    drop(stand.processors.remove(0));
    let after_kill = taken_over(&stand.servers.pool, killed).await?;
    round.progress.done(1);

    let stopped = stop(&stand.servers.pool, &stand.processors[0]).await?;
    let after_stop = taken_over(&stand.servers.pool, stopped).await?;
    stand.processors[0].signal(Signal::CONT)?;
    tokio::time::sleep(BACK_AGAIN).await;
    drop(end);
    while let Some(ended) = writers.join_next().await {
        ended.context("a writer")??;
    }
    load::settle(&stand.ledger).await;
    let books = stand.audit().await?;
    round.keep(&format!("takeover, {case}"), books);
    round.add(case, "takeover_after_kill_ms", after_kill.as_secs_f64() * 1e3);
    round.add(case, "takeover_after_stop_ms", after_stop.as_secs_f64() * 1e3);
    Ok(())
}

/// Starts writers that end when the guard is dropped, after their present block.
fn write(stand: &Stand) -> (DropGuard, JoinSet<Result<()>>) {
    let end = CancellationToken::new();
    let mut writers = JoinSet::new();
    for _ in 0..WRITERS {
        let (pool, load) = (stand.servers.pool.clone(), Arc::clone(&stand.load));
        let (ledger, ordinals) = (Arc::clone(&stand.ledger), Arc::clone(&stand.ordinals));
        let ended = end.clone();
        writers.spawn(async move {
            let mut connection = pool.acquire().await?;
            let mut ticks = tokio::time::interval(PERIOD);
            while ended.run_until_cancelled(ticks.tick()).await.is_some() {
                let ordinal = ordinals.fetch_add(1, Ordering::Relaxed);
                let block = load.block_of(ordinal, ROWS, load::now());
                ledger.expect(ordinal, &block.jobs, block.ids.len(), Instant::now());
                load::insert(&mut connection, &block).await?;
            }
            Ok(())
        });
    }
    (end.drop_guard(), writers)
}

/// Stops a process while it holds a shard: its session is in a transaction. Returns its process id,
/// and the time when it was stopped.
async fn stop(pool: &PgPool, process: &Child) -> Result<(u32, Instant)> {
    let Some(pid) = process.pid() else { bail!("a process has ended{}", process.last_words()) };
    for _ in 0..TRIES_MAX {
        let since = Instant::now();
        process.signal(Signal::STOP)?;
        tokio::time::sleep(ANSWERED).await;
        let holds: bool = sqlx::query_scalar(
            "SELECT EXISTS (SELECT FROM pg_stat_activity
                            WHERE state = 'idle in transaction'
                              AND application_name LIKE '%-' || $1::text || '-%')",
        )
        .bind(pid.to_string())
        .fetch_one(pool)
        .await?;
        if holds {
            return Ok((pid, since));
        }
        process.signal(Signal::CONT)?;
        tokio::time::sleep(ANSWERED).await;
    }
    bail!("a process never was in the middle of a batch{}", process.last_words())
}

/// Time from `since` until every shard has been judged by another process than the lost one.
async fn taken_over(pool: &PgPool, (gone, since): (u32, Instant)) -> Result<Duration> {
    let last: i64 = sqlx::query_scalar("SELECT coalesce(max(number), 0) FROM cursor_moves")
        .fetch_one(pool)
        .await?;
    loop {
        let shards: i64 = sqlx::query_scalar(
            "SELECT count(DISTINCT chain_id) FROM cursor_moves
             WHERE number > $1 AND holder NOT LIKE '%-' || $2::text || '-%'",
        )
        .bind(last)
        .bind(gone.to_string())
        .fetch_one(pool)
        .await?;
        if shards == i64::from(CHAINS) {
            return Ok(since.elapsed());
        }
        if since.elapsed() > TAKEOVER_MAX {
            bail!("{shards} of {CHAINS} shards were taken over in {TAKEOVER_MAX:?}");
        }
        tokio::time::sleep(LOOK).await;
    }
}
