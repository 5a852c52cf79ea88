//! `agentauri doctor --chain NAME`: is what is stored of a chain complete?

use std::cell::Cell;
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow, bail};
use chain_indexer::{DifferingEvent, ForgedEvent, Gap, GapCheck, GapReport, IndexerError};
use event_store::PgPool;
use event_store::chain::gaps::AgentGap;
use indicatif::{ProgressBar, ProgressDrawTarget};
use service::config::Settings;
use service::escape::escape;
use service::process::Refused;

use crate::commands::doctor::DoctorArgs;
use crate::refusal::ended;
use operations::chains;
use service::output;

/// Between two lines about the progress.
const LINE_EVERY: Duration = Duration::from_secs(5);
/// Characters of an id that are written out.
const ID_CHARACTERS_MAX: usize = 200;
/// Places of a block's logs that are written out.
const PLACES_MAX: usize = 10;

pub(crate) async fn doctor(
    settings: &Settings,
    pool: &PgPool,
    options: DoctorArgs,
    json: bool,
) -> Result<()> {
    let DoctorArgs { chain, from, to, against_chain, mend } = options;
    let id = chains::id(&settings.chain_ids(), &chain.unwrap_or_default()).map_err(ended)?;
    let found = settings.chains.iter().find(|chain| chain.id.0 == id).cloned();
    let settings =
        found.ok_or_else(|| Refused::new(format!("--chain: no chain {id} is configured")))?;
    let name = settings.name.clone();
    let check = GapCheck { pool: pool.clone(), settings, from, to, against_chain, mend };
    let screen = Screen::new(json);
    let checked = check.run(|done, all| screen.show(done, all)).await;
    screen.bar.finish_and_clear();
    let report = match checked {
        Ok(Some(report)) => report,
        Ok(None) => bail!("nothing of chain {name} is stored yet"),
        // What has to change is the command, or the configuration.
        Err(error @ (IndexerError::Settings { .. } | IndexerError::WrongChain { .. })) => {
            return Err(Refused::new(error.to_string()).into());
        }
        Err(error) => return Err(anyhow!(error)),
    };
    if json {
        output::json(&report)?;
    } else {
        show(&report);
    }
    if !report.complete {
        bail!("something of chain {name} is missing, taken back, or not what the chain says");
    }
    Ok(())
}

/// A bar on a terminal, a line now and then elsewhere, on standard error; nothing with `--json`.
struct Screen {
    bar: ProgressBar,
    quiet: bool,
    said_at: Cell<Instant>,
}

impl Screen {
    fn new(quiet: bool) -> Self {
        let target =
            if quiet { ProgressDrawTarget::hidden() } else { ProgressDrawTarget::stderr() };
        let bar = ProgressBar::with_draw_target(None, target);
        Self { bar, quiet, said_at: Cell::new(Instant::now()) }
    }

    #[expect(clippy::print_stderr, reason = "progress, beside the answer on standard output")]
    fn show(&self, done: u64, all: u64) {
        self.bar.set_length(all);
        self.bar.set_position(done);
        if !self.quiet && self.bar.is_hidden() && self.said_at.get().elapsed() >= LINE_EVERY {
            self.said_at.set(Instant::now());
            eprintln!("{done} of {all} blocks are asked of a node");
        }
    }
}

fn show(report: &GapReport) {
    let GapReport { chain, from, to, against_chain, complete, .. } = report;
    for gap in &report.gaps {
        output::line(format!("Missing: {}", what(gap)));
    }
    for DifferingEvent { block, log_index, columns, .. } in &report.differing {
        let columns = columns.join(", ");
        output::line(format!(
            "Other than on the chain: log {log_index} of block {block}: {columns}"
        ));
    }
    for ForgedEvent { block, log_index, id, timestamp, .. } in &report.forged {
        let id = escape(id, ID_CHARACTERS_MAX);
        output::line(format!(
            "Not on the chain: \"{id}\" of time {timestamp}, which claims to be log {log_index} of \
             block {block}"
        ));
    }
    for (count, what) in [
        (
            report.invalidated,
            "are on the chain and invalidated, by hand or by mistake: nobody is told of them until \
             they are made valid (UPDATE events SET invalidated = false)",
        ),
        (report.not_on_chain, "of other writers' registries are valid and not on the chain"),
        (report.events_mended, "were missing and are stored now"),
        (report.events_corrected, "were other than on the chain and are corrected now"),
    ] {
        if count > 0 {
            output::line(format!("{count} events {what}"));
        }
    }
    let how = if *against_chain { ", compared with a node" } else { "" };
    let verdict = if *complete { "complete" } else { "NOT complete" };
    output::line(format!("Chain {chain}, blocks {from} to {to}{how}: {verdict}."));
}

fn what(gap: &Gap) -> String {
    match gap {
        Gap::Blocks { first, last } => format!("blocks {first} to {last} were never read"),
        Gap::Parent { block } => {
            format!("block {block} does not stand on the block stored below it")
        }
        Gap::Agents(AgentGap { first_agent, last_agent, from_block, to_block }) => {
            let from = from_block.map_or("before".to_owned(), |from| format!("blocks {from} to"));
            format!("the registrations of agents {first_agent} to {last_agent}, {from} {to_block}")
        }
        Gap::Events { block, log_indexes, .. } => {
            let places: Vec<_> =
                log_indexes.iter().take(PLACES_MAX).map(ToString::to_string).collect();
            let more = if log_indexes.len() > PLACES_MAX { ", …" } else { "" };
            format!("{} events of block {block}: {}{more}", log_indexes.len(), places.join(", "))
        }
    }
}
