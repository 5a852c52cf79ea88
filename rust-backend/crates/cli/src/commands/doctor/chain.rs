//! `agentauri doctor --chain NAME`: a chain's stored blocks and events, compared with its nodes.

use anyhow::{Result, bail};
use chain_indexer::{ChainPart, DifferingEvent, ForgedEvent, Gap, GapCheck, GapReport};
use event_store::PgPool;
use event_store::chain::gaps::AgentGap;
use service::config::Settings;
use service::escape::escape;
use service::output;

use crate::chain;
use crate::commands::doctor::DoctorArgs;
use crate::progress::Progress;

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
    let settings = chain::configured(settings, "--chain", &chain.unwrap_or_default())?;
    let name = settings.name.clone();
    let check = GapCheck { pool: pool.clone(), settings, from, to, against_chain, mend };
    let shown = Progress::new("{wide_bar} {msg}", json);
    let show_progress = |done, all| {
        shown.show(done, Some(all), format!("{done} of {all} blocks are compared with a node"));
    };
    let checked = check.run(show_progress).await;
    shown.end();
    let Some(report) = checked.map_err(chain::ended)? else {
        bail!("nothing of chain {name} is stored yet");
    };
    if json {
        output::json(&report)?;
    } else {
        show(&report);
    }
    if report.complete == Some(false) {
        bail!("blocks or events of chain {name} are missing, invalidated or not the chain's");
    }
    Ok(())
}

fn show(report: &GapReport) {
    let GapReport { chain, from, to, against_chain, complete, .. } = report;
    for gap in &report.gaps {
        output::line(format!("Missing: {}", what(gap)));
    }
    for DifferingEvent { block, log_index, columns, .. } in &report.differing {
        let columns = columns.join(", ");
        output::line(format!(
            "Differs from the chain: log {log_index} of block {block}: {columns}"
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
            "are on the chain and invalidated, by hand or by mistake: they fire no trigger until \
             they are valid again (UPDATE events SET invalidated = false)",
        ),
        (report.not_on_chain, "of other writers' registries are valid and not on the chain"),
        (report.events_mended, "were missing and are stored now"),
        (report.events_corrected, "differed from the chain and are corrected now"),
    ] {
        if count > 0 {
            output::line(format!("{count} events {what}"));
        }
    }
    let list = |parts: &[ChainPart], says: fn(ChainPart) -> &'static str| {
        parts.iter().map(|part| says(*part)).collect::<Vec<_>>().join("; ")
    };
    if !report.compared.is_empty() {
        output::line(format!("Compared: {}.", list(&report.compared, compared)));
    }
    if !report.not_compared.is_empty() {
        output::line(format!("Not compared: {}.", list(&report.not_compared, not_compared)));
    }
    let how = if *against_chain { ", compared with a node" } else { "" };
    let verdict = match complete {
        Some(true) => "complete",
        Some(false) => "NOT complete",
        None => "nothing is missing in what was compared",
    };
    output::line(format!("Chain {chain}, blocks {from} to {to}{how}: {verdict}."));
}

fn compared(part: ChainPart) -> &'static str {
    match part {
        ChainPart::Blocks => "blocks (each is read, and its parent is the one below)",
        ChainPart::Agents => "agents (the identity registry counts them up)",
        ChainPart::Logs => "logs (each block's, with those of a node)",
    }
}

fn not_compared(part: ChainPart) -> &'static str {
    match part {
        ChainPart::Blocks => {
            "blocks (chain-indexer does not read this chain, and its writer keeps no account of \
             the blocks that it has read)"
        }
        ChainPart::Agents => "agents (no identity registry is configured)",
        ChainPart::Logs => "logs (--against-chain compares them with those of a node)",
    }
}

fn what(gap: &Gap) -> String {
    match gap {
        Gap::Blocks { first, last } => format!("blocks {first} to {last} were never read"),
        Gap::Parent { block } => {
            format!("block {block} is no child of the block stored below it")
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
