//! Status for an operator: the progress of each shard, the states of jobs, and the brakes on both.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use event_engine::delivery::job_state::JobState;
use serde::Serialize;
use sqlx::PgPool;

use crate::Result;
use crate::connection::stored_text::StoredText;

/// The whole of it at one moment.
#[derive(Clone, Debug, Serialize)]
pub struct Status {
    /// Shard by shard: all that are known, and some others.
    pub shards: Vec<Shard>,
    /// The shards that are not shown.
    pub shards_not_shown: NotShown,
    /// Jobs of each state.
    pub jobs: BTreeMap<JobState, i64>,
    /// Triggers in force.
    pub triggers_active: i64,
    /// The revision of their set.
    pub triggers_revision: i64,
    /// Age in seconds of the oldest transaction in the cluster that has written: entries of later
    /// ones cannot be judged until it ends.
    pub oldest_writing_transaction_seconds: Option<f64>,
    /// Its session, or the prepared transaction.
    pub oldest_writer: Option<String>,
    /// False where this role may not see the transactions of others (`pg_read_all_stats`).
    pub sees_all_transactions: bool,
    /// Share of the notification queue in use, 0 to 1. Beyond 0.5 events do not notify.
    pub notification_queue_usage: f64,
}

/// Shards of unknown chains, beyond [`OTHERS_MAX`].
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct NotShown {
    /// Their number.
    pub number: i64,
    /// Entries that wait to be judged in them.
    pub entries_behind: i64,
}

/// Shards of unknown chains that are shown: those with the most entries behind.
pub const OTHERS_MAX: usize = 50;

/// One shard.
#[derive(Clone, Debug, Serialize)]
pub struct Shard {
    /// The chain.
    pub chain_id: i64,
    /// True if it is known: configured, listed, indexed or named by a trigger.
    pub is_known: bool,
    /// The processor that judged it last.
    pub holder: Option<String>,
    /// The number of changes of hands.
    pub generation: i64,
    /// Entries judged since the beginning.
    pub entries_judged: i64,
    /// Entries that wait to be judged, counted up to [`BEHIND_MAX`].
    pub entries_behind: i64,
    /// Age in seconds of the oldest event that waits.
    pub oldest_unjudged_seconds: Option<f64>,
    /// Events that wait for a trigger's finality, counted up to [`BEHIND_MAX`].
    pub events_waiting: i64,
    /// The block of its checkpoint.
    pub checkpoint_block: Option<i64>,
    /// When the last batch was committed.
    pub judged_at: Option<DateTime<Utc>>,
}

/// Limit of counting: an exact number of a long log is not worth reading it.
pub const BEHIND_MAX: i64 = 100_000;

/// Reads the status.
#[expect(clippy::too_many_lines, reason = "three queries")]
pub async fn read(pool: &PgPool) -> Result<Status> {
    let shards = sqlx::query_as!(
        Shard,
        r#"WITH RECURSIVE logged (chain_id) AS (
               SELECT min(chain_id) FROM event_log
               UNION ALL
               SELECT (SELECT min(l.chain_id) FROM event_log l WHERE l.chain_id > s.chain_id)
               FROM logged s WHERE s.chain_id IS NOT NULL
           ), known AS MATERIALIZED (
               SELECT chain_id FROM known_chains
           ), shards AS (
               SELECT chain_id, chain_id IN (SELECT chain_id FROM known) AS is_known
               FROM logged WHERE chain_id IS NOT NULL
           )
           SELECT s.chain_id AS "chain_id!", s.is_known AS "is_known!", c.holder AS "holder?",
                  coalesce(c.generation, 0) AS "generation!",
                  coalesce(c.entries_judged, 0) AS "entries_judged!",
                  (SELECT count(*) FROM (
                       SELECT FROM event_log l
                       WHERE l.chain_id = s.chain_id
                         AND (l.xid, l.seq) > (coalesce(c.xid, '0'), coalesce(c.seq, 0))
                       LIMIT 100000) AS behind) AS "entries_behind!",
                  (SELECT extract(epoch FROM now() - l.logged_at)::double precision
                   FROM event_log l
                   WHERE l.chain_id = s.chain_id AND l.event_id IS NOT NULL
                     AND (l.xid, l.seq) > (coalesce(c.xid, '0'), coalesce(c.seq, 0))
                   ORDER BY l.xid, l.seq LIMIT 1) AS oldest_unjudged_seconds,
                  (SELECT count(*) FROM (
                       SELECT FROM waiting_events w WHERE w.chain_id = s.chain_id
                       LIMIT 100000) AS waiting) AS "events_waiting!",
                  p.block_number AS "checkpoint_block?", c.updated_at AS "judged_at?"
           FROM shards s
           LEFT JOIN shard_cursors c USING (chain_id)
           LEFT JOIN checkpoints p USING (chain_id)"#,
    )
    .fetch_all(pool)
    .await?;
    let (shards, shards_not_shown) = shown(shards);
    let jobs = sqlx::query!(
        r#"SELECT state AS "state: StoredText<JobState>", count(*) AS "number!"
           FROM jobs GROUP BY state"#
    )
    .fetch_all(pool)
    .await?;
    let rest = sqlx::query!(
        r#"SELECT (SELECT count(*) FROM triggers WHERE state = 'active') AS "active!",
                  (SELECT revision FROM trigger_set) AS "revision!",
                  extract(epoch FROM now() - oldest.began)::double precision AS oldest,
                  oldest.writer,
                  pg_has_role('pg_read_all_stats', 'USAGE') AS "sees_all!",
                  pg_notification_queue_usage() AS "usage!"
           FROM (SELECT) AS once
           LEFT JOIN (
               SELECT xact_start,
                      format('session %s of %s in database %s (%s)', pid, usename, datname,
                             application_name)
               FROM pg_stat_activity
               WHERE backend_xid IS NOT NULL AND pid <> pg_backend_pid()
               UNION ALL
               SELECT prepared, format('prepared transaction %s in database %s', gid, database)
               FROM pg_prepared_xacts
               ORDER BY 1 LIMIT 1) AS oldest (began, writer) ON true"#,
    )
    .fetch_one(pool)
    .await?;
    Ok(Status {
        shards,
        shards_not_shown,
        jobs: jobs.into_iter().map(|row| (row.state.0, row.number)).collect(),
        triggers_active: rest.active,
        triggers_revision: rest.revision,
        oldest_writing_transaction_seconds: rest.oldest,
        oldest_writer: rest.writer,
        sees_all_transactions: rest.sees_all,
        notification_queue_usage: rest.usage,
    })
}

/// The shown shards, by their chains, and a summary of the rest.
fn shown(mut shards: Vec<Shard>) -> (Vec<Shard>, NotShown) {
    shards.sort_by_key(|shard| (!shard.is_known, -shard.entries_behind, shard.chain_id));
    let known = shards.iter().filter(|shard| shard.is_known).count();
    let others = shards.split_off(shards.len().min(known + OTHERS_MAX));
    shards.sort_by_key(|shard| shard.chain_id);
    let number = i64::try_from(others.len()).unwrap_or(i64::MAX);
    let entries_behind = others.iter().map(|shard| shard.entries_behind).sum();
    (shards, NotShown { number, entries_behind })
}
