//! `agentauri chains reset`.

use anyhow::Result;
use chain_indexer::{ChainComparison, ChainSettings};
use operations::PgPool;
use operations::chains::reset::{self, ResetDone, ResetPlan};
use serde_json::json;
use service::config::Settings;
use service::output;
use service::process::Refused;

use crate::chain;
use crate::confirm::confirmed;
use crate::progress::Progress;
use crate::refusal::ended;

#[derive(Debug, clap::Args)]
pub(crate) struct ResetArgs {
    /// The chain: its name in the configuration, or its id.
    #[arg(value_name = "CHAIN")]
    chain: String,
    /// Do it without a question.
    #[arg(long)]
    yes: bool,
    /// Only show the consequences.
    #[arg(long, conflicts_with = "yes")]
    dry_run: bool,
}

pub(crate) async fn reset(
    settings: &Settings,
    pool: &PgPool,
    options: &ResetArgs,
    json: bool,
) -> Result<()> {
    let chain = chain::configured(settings, "<CHAIN>", &options.chain)?;
    let plan = reset::plan(pool, chain.id.0).await.map_err(ended)?;
    let compared = chain_indexer::compare(pool, &chain).await.map_err(chain::ended)?;
    let is_needed = is_needed(&compared);
    let report = ResetReport { chain: &chain, compared: &compared, plan: &plan };
    if !json {
        report.show(is_needed);
    }
    if options.dry_run || !is_needed {
        return report.end(None, json);
    }
    plan.refuse_impossible().map_err(ended)?;
    if json && !options.yes {
        return Err(Refused::new("--json asks no question: add --yes or --dry-run").into());
    }
    if !options.yes {
        confirmed(&format!("Reset chain {}?", chain.name))?;
    }
    let shown = Progress::new("{spinner} {msg}", json);
    let show = |done: ResetDone| shown.show(done.events_invalidated, None, text(done));
    let done = reset::run(pool, chain.id.0, chain.writer, show).await;
    shown.end();
    report.end(Some(done.map_err(ended)?), json)
}

/// The findings of the command.
struct ResetReport<'c> {
    chain: &'c ChainSettings,
    compared: &'c ChainComparison,
    plan: &'c ResetPlan,
}

impl ResetReport<'_> {
    /// Shows the findings, and the consequences of a reset where it is needed.
    fn show(&self, is_needed: bool) {
        output::line(format!("{} (chain {}): {}", self.chain.name, self.chain.id, self.finding()));
        if !is_needed {
            return output::line("Nothing is to be reset.");
        }
        let ResetPlan {
            blocks,
            events,
            more_events,
            jobs,
            more_jobs,
            ponder_schemas,
            missing_right,
        } = self.plan;
        let more = |more: bool| if more { " or more" } else { "" };
        for by in blocks {
            output::line(format!(
                "Forgotten: {} blocks of {}, from {} to {}",
                by.blocks, by.reader, by.lowest, by.highest
            ));
        }
        output::line(format!("Invalidated: {events}{} events", more(*more_events)));
        output::line(format!(
            "Jobs that follow: {} cancelled, {}{} retracted at their receivers",
            jobs.cancelled,
            jobs.retracted,
            more(*more_jobs)
        ));
        if let Some(right) = missing_right {
            output::line(format!(
                "Refused as things are: {} belongs to {}, and not to {}",
                right.object, right.owner, right.role
            ));
        }
        for schema in ponder_schemas {
            let state = if schema.is_running { ": stop its process first" } else { "" };
            output::line(format!("Dropped: Ponder's schema {}{state}", schema.name));
        }
    }

    /// The stored blocks beside the nodes', a sentence.
    fn finding(&self) -> String {
        match self.compared {
            ChainComparison::NothingStored => "no block of it is stored".to_owned(),
            ChainComparison::Same { node, block } => {
                format!("the node of {node} has the stored block {block}: it is the same chain")
            }
            ChainComparison::Other { node, block, stored, found } => format!(
                "the chain began anew: block {block} of {node} is {found}, stored is {stored}"
            ),
            ChainComparison::Replaced { node, block } => format!(
                "{node} has another block {block} than is stored, which a reorganisation may \
                 replace: its reader follows that by itself"
            ),
            ChainComparison::Unproved { head, lowest } => format!(
                "nothing proves that the chain began anew, and its nodes may lag: the head {head} \
                 of one is below the lowest stored block, {lowest}"
            ),
        }
    }

    /// Says how it ended; nothing more where nothing was done.
    fn end(&self, done: Option<ResetDone>, json: bool) -> Result<()> {
        if json {
            return output::json(&json!({
                "chain": self.chain.name,
                "chain_id": self.chain.id.0,
                "finding": self.finding(),
                "is_needed": is_needed(self.compared),
                "plan": self.plan,
                "done": done,
            }));
        }
        if let Some(done) = done {
            output::line(format!("Done: {}", text(done)));
            output::line(
                "Readers that ask their nodes again begin anew within 15 s; restart a reader that \
                 has ended, and Ponder.",
            );
        }
        Ok(())
    }
}

/// True if the old chain is stored, as far as the nodes can tell. Of a chain without a stored block
/// the events may be of either.
fn is_needed(compared: &ChainComparison) -> bool {
    use ChainComparison::{Other, Unproved};
    matches!(compared, Other { .. } | Unproved { .. })
}

fn text(done: ResetDone) -> String {
    let ResetDone { events_invalidated, blocks_forgotten } = done;
    format!("{events_invalidated} events invalidated, {blocks_forgotten} blocks forgotten")
}
