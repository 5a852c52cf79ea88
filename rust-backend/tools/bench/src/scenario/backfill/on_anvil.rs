//! The same history from anvil, by our indexer and by Ponder: from the start of the process until
//! every event is stored. Anvil limits the speed.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use super::{LOOK, books};
use crate::counterparts::anvil_chain::{self, AnvilChain};
use crate::counterparts::canned_node::EVENTS_PER_BLOCK;
use crate::round::Round;
use crate::stand::{Child, Ponder, Servers};

/// The divisor of the canned history's events, because anvil must make each block.
const SHARE: u32 = 10;
const EVENTS_MAX: u32 = 20_000;
const POLL_MS: u32 = 100;
/// Limit of a case: Ponder stores about 1,000 events a second, and needs time to start.
const ALL_STORED_MAX: Duration = Duration::from_mins(5);

pub(super) async fn round(round: &mut Round<'_>) -> Result<()> {
    let ponder = Ponder::of(round).await;
    let blocks = u64::from((round.plan.events / SHARE).min(EVENTS_MAX)).div_ceil(EVENTS_PER_BLOCK);
    round.progress.begin(&round.title("anvil: mining"), blocks);
    let chain = AnvilChain::start(round).await?;
    for block in 0..blocks {
        let first = block * EVENTS_PER_BLOCK;
        chain.send(first..first + EVENTS_PER_BLOCK).await?;
        chain.mine().await?;
        round.progress.done(block);
    }
    let events = blocks * EVENTS_PER_BLOCK;
    measure_case(round, "anvil, chain-indexer", events, &chain, None).await?;
    if let Some(ponder) = &ponder {
        measure_case(round, "anvil, Ponder", events, &chain, Some(ponder)).await?;
    }
    Ok(())
}

/// Measures one indexer on servers of its own: Ponder, or ours if `ponder` is `None`.
async fn measure_case(
    round: &mut Round<'_>,
    case: &str,
    events: u64,
    chain: &AnvilChain,
    ponder: Option<&Ponder>,
) -> Result<()> {
    round.progress.begin(&round.title(case), events);
    let servers = Servers::start(round.plan, round.plan.database).await?;
    event_store::connection::migrations::migrate(&servers.pool).await?;
    let began = Instant::now();
    let mut indexer = match ponder {
        None => {
            write(&servers, &AnvilChain::table("chain-indexer", &[chain.http()], POLL_MS, 1))?;
            Child::start("chain-indexer", &[], &servers)?
        }
        Some(ponder) => {
            let table = AnvilChain::table("ponder", &chain.urls_for_ponder(), POLL_MS, 1);
            ponder.start(anvil_chain::NAME, &write(&servers, &table)?, &servers)?
        }
    };
    let head = chain.head().await?;
    loop {
        let stored = super::rows(&servers).await?;
        let passed: Option<i64> = sqlx::query_scalar("SELECT max(block_number) FROM checkpoints")
            .fetch_one(&servers.pool)
            .await?;
        round.progress.done(stored);
        if stored >= events && passed.is_some_and(|passed| passed.unsigned_abs() >= head) {
            break;
        }
        if began.elapsed() > ALL_STORED_MAX || !indexer.is_running()? {
            bail!("stopped when {stored} of {events} were stored{}", indexer.last_words());
        }
        tokio::time::sleep(LOOK).await;
    }
    let seconds = began.elapsed().as_secs_f64();
    round.keep(case, books(events, super::rows(&servers).await?));
    #[expect(clippy::cast_precision_loss, reason = "events fit")]
    round.add(case, "events_per_second", events as f64 / seconds);
    round.add(case, "seconds_to_head", seconds);
    drop(indexer);
    servers.pool.close().await;
    Ok(())
}

fn write(servers: &Servers, table: &str) -> Result<PathBuf> {
    let file = servers.folder().join("agentauri.toml");
    std::fs::write(&file, table)?;
    Ok(file)
}
