//! `agentauri backfill`: history of a chain, with its progress.

use std::ops::RangeInclusive;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use chain_indexer::{Backfill, BackfillProgress, ChainSettings};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use operations::database;
use parking_lot::Mutex;
use serde::Serialize;
use service::config::Settings;
use service::process::Refused;
use service::signals;

use service::output;

/// One for its transactions, one for its looks.
const CONNECTIONS: u32 = 2;
/// Between two lines where there is no terminal.
const LINE_EVERY: Duration = Duration::from_secs(5);

/// Fill in a chain's history, below what is stored.
///
/// It reads every block of the range whose logs are not stored yet, up to the last final block and
/// the highest stored one, beside an indexer that runs; what comes above is the indexer's. Events
/// feed the state of triggers, and fire those whose `since` reaches back to them. Ctrl-C keeps what
/// is committed; the same command goes on from there.
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

/// What came of it.
#[derive(Serialize)]
struct Summary<'s> {
    chain: &'s str,
    chain_id: i64,
    /// What history goes from and to; null where nothing of it is final, or ours to store.
    from: Option<u64>,
    to: Option<u64>,
    blocks_missing: u64,
    blocks_stored: u64,
    events_stored: u64,
    seconds: f64,
    complete: bool,
}

pub(crate) async fn backfill(settings: &Settings, options: BackfillArgs, json: bool) -> Result<()> {
    let shutdown = signals::shutdown_token()?;
    let chain = chain(settings, &options)?;
    let pool = database::migrated(settings, "agentauri-backfill", CONNECTIONS).await?;
    let backfill = Backfill { pool, settings: chain.clone(), from: options.from, to: options.to };
    let screen = Screen::new(&chain.name, json);
    let ended = backfill.run(&shutdown, |progress| screen.show(progress)).await;
    screen.end();
    let progress = match ended {
        Ok(progress) => progress,
        // What has to change is the configuration.
        Err(
            error @ (chain_indexer::IndexerError::Settings { .. }
            | chain_indexer::IndexerError::WrongChain { .. }),
        ) => {
            return Err(Refused::new(error.to_string()).into());
        }
        Err(error) => return Err(error.into()),
    };
    report(&chain, &progress, screen.began.elapsed(), json)?;
    if !progress.is_complete {
        bail!("interrupted; the same command goes on where it stopped");
    }
    Ok(())
}

fn chain(settings: &Settings, options: &BackfillArgs) -> Result<ChainSettings> {
    if let (Some(from), Some(to)) = (options.from, options.to)
        && from > to
    {
        return Err(Refused::new(format!("--from {from} is above --to {to}")).into());
    }
    let named = |chain: &&ChainSettings| {
        chain.name == options.chain || chain.id.to_string() == options.chain
    };
    let Some(chain) = settings.chains.iter().find(named) else {
        let why = format!("--chain: no chain named {:?} is configured", options.chain);
        return Err(Refused::new(why).into());
    };
    Ok(chain.clone())
}

fn report(
    chain: &ChainSettings,
    progress: &BackfillProgress,
    elapsed: Duration,
    json: bool,
) -> Result<()> {
    if json {
        return output::json(&Summary {
            chain: &chain.name,
            chain_id: chain.id.0,
            from: progress.range.as_ref().map(RangeInclusive::start).copied(),
            to: progress.range.as_ref().map(RangeInclusive::end).copied(),
            blocks_missing: progress.blocks_missing,
            blocks_stored: progress.blocks_done,
            events_stored: progress.events_stored,
            seconds: elapsed.as_secs_f64(),
            complete: progress.is_complete,
        });
    }
    let Some(range) = &progress.range else {
        output::line(format!(
            "{}: no history: none of it is final and below the indexer",
            chain.name
        ));
        return Ok(());
    };
    output::line(format!(
        "{}: blocks {} to {}: {} of {} that were missing are stored, with {} events, in {:.1} s",
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

/// A bar on a terminal, a line now and then elsewhere, on standard error; nothing with `--json`.
struct Screen {
    chain: String,
    bar: ProgressBar,
    quiet: bool,
    began: Instant,
    said: Mutex<Option<Instant>>,
}

impl Screen {
    fn new(chain: &str, json: bool) -> Self {
        let target = if json { ProgressDrawTarget::hidden() } else { ProgressDrawTarget::stderr() };
        let bar = ProgressBar::with_draw_target(None, target);
        let style = "{spinner} {prefix} {bar:30} {percent} %, {msg}";
        bar.set_style(ProgressStyle::with_template(style).expect("a template that reads"));
        bar.set_prefix(chain.to_owned());
        Self {
            chain: chain.to_owned(),
            bar,
            quiet: json,
            began: Instant::now(),
            said: Mutex::new(None),
        }
    }

    fn show(&self, progress: &BackfillProgress) {
        let text = text(progress, self.began.elapsed());
        self.bar.set_length(progress.blocks_missing);
        self.bar.set_position(progress.blocks_done);
        self.bar.set_message(text.clone());
        if self.quiet || !self.bar.is_hidden() {
            return;
        }
        let mut said = self.said.lock();
        if said.is_none_or(|before| before.elapsed() >= LINE_EVERY) {
            *said = Some(Instant::now());
            say(&format!("{}: {text}", self.chain));
        }
    }

    fn end(&self) {
        self.bar.finish_and_clear();
    }
}

#[expect(clippy::print_stderr, reason = "progress, beside the answer on standard output")]
fn say(line: &str) {
    eprintln!("{line}");
}

/// How far it is, how fast, and how long the rest takes at this pace.
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
