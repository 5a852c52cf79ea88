//! `agentauri backfill`: history of a chain, with its progress.

use std::ops::RangeInclusive;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use chain_indexer::{Backfill, BackfillProgress, ChainSettings};
use operations::database;
use serde_json::json;
use service::config::Settings;
use service::process::Refused;
use service::{output, signals};

use crate::chain;
use crate::progress::Progress;

/// One for its transactions, one for its queries.
const CONNECTIONS: u32 = 2;

/// Store a chain's history, below the stored blocks.
///
/// It reads every block of the range whose logs are not stored yet, up to the last final block and
/// the highest stored one, also beside a running indexer, which reads the blocks above. Events feed
/// the state of triggers, and fire triggers whose `since` reaches back to them. Ctrl-C keeps the
/// stored blocks; the same command goes on from there.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  agentauri backfill --chain sepolia                 \
    from its start_block on\n  agentauri backfill --chain sepolia --from 7000000\n  \
    agentauri backfill --chain 11155111 --from 7000000 --to 7500000 --json")]
pub(crate) struct BackfillArgs {
    /// The chain: its name in the configuration, or its id.
    #[arg(long)]
    pub(crate) chain: String,
    /// The first block [default: the chain's `start_block`].
    #[arg(long, value_name = "BLOCK")]
    pub(crate) from: Option<u64>,
    /// The last block [default: as high as the history goes].
    #[arg(long, value_name = "BLOCK")]
    pub(crate) to: Option<u64>,
}

pub(crate) async fn backfill(settings: &Settings, options: BackfillArgs, json: bool) -> Result<()> {
    let shutdown = signals::shutdown_token()?;
    if let (Some(from), Some(to)) = (options.from, options.to)
        && from > to
    {
        return Err(Refused::new(format!("--from {from} is above --to {to}")).into());
    }
    let chain = chain::configured(settings, "--chain", &options.chain)?;
    let pool = database::migrated(settings, "agentauri-backfill", CONNECTIONS).await?;
    let backfill = Backfill { pool, settings: chain.clone(), from: options.from, to: options.to };
    let (shown, began) =
        (Progress::new("{spinner} {bar:30} {percent} %, {msg}", json), Instant::now());
    let show = |progress: &BackfillProgress| {
        let text = format!("{}: {}", chain.name, text(progress, began.elapsed()));
        shown.show(progress.blocks_done, Some(progress.blocks_missing), text);
    };
    let ended = backfill.run(&shutdown, show).await;
    shown.end();
    let progress = ended.map_err(chain::ended)?;
    report(&chain, &progress, began.elapsed(), json)?;
    if !progress.is_complete {
        bail!("interrupted; the same command goes on where it stopped");
    }
    Ok(())
}

fn report(
    chain: &ChainSettings,
    progress: &BackfillProgress,
    elapsed: Duration,
    json: bool,
) -> Result<()> {
    if json {
        // No history is final, or left to this command: `from` and `to` are null.
        return output::json(&json!({
            "chain": chain.name,
            "chain_id": chain.id.0,
            "from": progress.range.as_ref().map(RangeInclusive::start),
            "to": progress.range.as_ref().map(RangeInclusive::end),
            "blocks_missing": progress.blocks_missing,
            "blocks_stored": progress.blocks_done,
            "events_stored": progress.events_stored,
            "seconds": elapsed.as_secs_f64(),
            "complete": progress.is_complete,
        }));
    }
    let Some(range) = &progress.range else {
        let why = "no block is final and below the indexer's";
        output::line(format!("{}: no history to store: {why}", chain.name));
        return Ok(());
    };
    output::line(format!(
        "{}: blocks {} to {}: {} of {} missing blocks are stored, with {} events, in {:.1} s",
        chain.name,
        range.start(),
        range.end(),
        progress.blocks_done,
        progress.blocks_missing,
        progress.events_stored,
        elapsed.as_secs_f64()
    ));
    Ok(())
}

/// The progress so far, its pace, and the time for the rest at this pace.
#[expect(clippy::cast_precision_loss, reason = "no chain is 2^52 blocks high")]
fn text(progress: &BackfillProgress, elapsed: Duration) -> String {
    let BackfillProgress { blocks_missing, blocks_done, events_stored, .. } = progress;
    let done = format!("{blocks_done} of {blocks_missing} blocks, {events_stored} events");
    let mut rest = String::new();
    if *blocks_done > 0 {
        let pace = *blocks_done as f64 / elapsed.as_secs_f64().max(0.001);
        let left = blocks_missing.saturating_sub(*blocks_done) as f64 / pace;
        rest = format!(", {pace:.0} blocks/s, {} left", duration(left));
    }
    match &progress.problem {
        Some(problem) => format!("{done}{rest}; tried again: {problem}"),
        None => done + &rest,
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a positive estimate")]
fn duration(seconds: f64) -> String {
    let seconds = seconds.ceil() as u64;
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7_200 => format!("{} min", seconds.div_ceil(60)),
        _ => format!("{} h", seconds.div_ceil(3_600)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rest_is_estimated_by_the_pace_so_far() {
        let mut progress =
            BackfillProgress { blocks_missing: 1_000, blocks_done: 100, ..Default::default() };
        let said = text(&progress, Duration::from_secs(10));
        assert_eq!(said, "100 of 1000 blocks, 0 events, 10 blocks/s, 90 s left");
        progress.blocks_done = 0;
        assert_eq!(text(&progress, Duration::ZERO), "0 of 1000 blocks, 0 events");
        assert_eq!(duration(121.0), "3 min");
        assert_eq!(duration(7_201.0), "3 h");
    }
}
