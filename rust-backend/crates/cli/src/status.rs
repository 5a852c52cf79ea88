//! `agentauri status`.

use anyhow::Result;
use event_store::{PgPool, overview};

use crate::output;

/// A writing transaction that is open for longer delays judging noticeably.
const WRITING_SECONDS_MAX: f64 = 5.0;
/// Beyond it no bell rings.
const QUEUE_USAGE_MAX: f64 = 0.5;

pub(crate) async fn status(pool: &PgPool, json: bool) -> Result<()> {
    let status = overview::status(pool).await?;
    if json {
        return output::json(&status);
    }
    let rows = status.shards.iter().map(|shard| {
        [
            shard.chain_id.to_string(),
            output::or_dash(shard.checkpoint_block),
            shard.entries_judged.to_string(),
            behind(shard.entries_behind),
            output::seconds(shard.oldest_unjudged_seconds),
            output::or_dash(shard.holder.as_deref()),
        ]
    });
    let headings = ["CHAIN", "CHECKPOINT", "JUDGED", "BEHIND", "OLDEST", "HOLDER"];
    output::table(headings, rows.collect(), "No event has been stored yet.");
    let jobs: Vec<String> =
        status.jobs.iter().map(|(state, number)| format!("{number} {state}")).collect();
    let jobs = if jobs.is_empty() { "none".to_owned() } else { jobs.join(", ") };
    output::line(format!("\nJobs: {jobs}"));
    output::line(format!(
        "Triggers: {} in force (revision {})",
        status.triggers_active, status.triggers_revision
    ));
    warn(&status);
    Ok(())
}

fn warn(status: &overview::Status) {
    if let Some(age) = status.oldest_writing_transaction_seconds
        && age > WRITING_SECONDS_MAX
    {
        output::line(format!(
            "Warning: a writing transaction has been open for {age:.0} s; what was written after \
             it began is judged when it ends."
        ));
    }
    if !status.sees_all_transactions {
        output::line(
            "Note: this role cannot see the transactions of others; grant it pg_read_all_stats.",
        );
    }
    if status.notification_queue_usage > QUEUE_USAGE_MAX {
        output::line(
            "Warning: the notification queue is more than half full, so no bell rings and events \
             wait for the tick; some session listens and never reads.",
        );
    }
}

fn behind(entries: i64) -> String {
    if entries >= overview::BEHIND_MAX { format!("{entries} or more") } else { entries.to_string() }
}
