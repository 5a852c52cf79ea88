//! `agentauri status`.

use anyhow::Result;
use operations::PgPool;
use operations::health_checks::{BEHIND_MAX, HealthChecks, Problem, health_checks};
use service::escape::escape;
use service::output;

use crate::refusal::ended;

/// Names of sessions and roles are strangers' text, at most 64 bytes each.
const PROBLEM_CHARS_MAX: usize = 500;

pub(crate) async fn status(pool: &PgPool, json: bool) -> Result<()> {
    let checks = health_checks(pool).await.map_err(ended)?;
    if json {
        return output::json(&checks);
    }
    let status = &checks.status;
    let rows = status.shards.iter().map(|shard| {
        [
            shard.chain_id.to_string(),
            output::or_dash(shard.checkpoint_block),
            shard.entries_judged.to_string(),
            bounded(shard.entries_behind),
            bounded(shard.events_waiting),
            output::seconds(shard.oldest_unjudged_seconds),
            shard.generation.to_string(),
            output::or_dash(shard.holder.as_deref()),
        ]
    });
    let headings =
        ["CHAIN", "CHECKPOINT", "JUDGED", "BEHIND", "WAITING", "OLDEST", "GENERATION", "HOLDER"];
    output::table(headings, rows.collect(), "No event is stored yet.");
    let others = status.shards_not_shown;
    if others.number > 0 {
        output::line(format!(
            "Note: {} unknown chains are not shown; {} of their events wait.",
            others.number, others.entries_behind
        ));
    }
    for shard in &status.shards {
        if shard.events_waiting > 0 && shard.checkpoint_block.is_none() {
            output::line(format!(
                "Note: {} events of chain {} wait for finality: they are judged once its indexer \
                 writes a checkpoint.",
                bounded(shard.events_waiting),
                shard.chain_id
            ));
        }
    }
    let jobs: Vec<String> =
        status.jobs.iter().map(|(state, number)| format!("{number} {state}")).collect();
    let jobs = if jobs.is_empty() { "none".to_owned() } else { jobs.join(", ") };
    output::line(format!("\nJobs: {jobs}"));
    output::line(format!(
        "Triggers: {} in force (revision {})",
        status.triggers_active, status.triggers_revision
    ));
    show_problems(&checks);
    Ok(())
}

/// A line for each problem, with remedy and page if it was found.
fn show_problems(checks: &HealthChecks) {
    for Problem { what, ok, says, remedy, see, .. } in &checks.problems {
        let says = escape(says, PROBLEM_CHARS_MAX);
        output::line(if *ok {
            format!("{what}: {says}")
        } else {
            format!("Warning: {what}: {says}. {remedy} ({see}).")
        });
    }
    if !checks.status.sees_all_transactions {
        output::line(
            "Note: this role cannot see the transactions of others; grant it pg_read_all_stats.",
        );
    }
}

fn bounded(number: i64) -> String {
    if number >= BEHIND_MAX { format!("{number} or more") } else { number.to_string() }
}
