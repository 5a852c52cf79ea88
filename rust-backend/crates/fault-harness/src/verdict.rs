//! What should be there, computed from the `events` table alone, against what is.

use std::collections::BTreeMap;

use anyhow::Result;
use event_store::PgPool;
use serde::Serialize;
use serde_json::Value;
use sqlx::FromRow;
use uuid::Uuid;

/// Messages that a receiver got, by their id.
pub type Messages = BTreeMap<Uuid, Vec<Value>>;

/// What was found at rest.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Verdict {
    /// Rows of `events`.
    pub events: i64,
    /// Jobs that the valid events ask for, at their present revision.
    pub expected: i64,
    /// Jobs of valid events at their present revision that are not cancelled.
    pub jobs: i64,
    /// Jobs of revisions that the chain took back after they were judged.
    pub superseded: i64,
    /// Ids that the receiver got.
    pub delivered: usize,
    /// Messages beyond the first of an id: at least once is not exactly once.
    pub again: usize,
    /// Expected jobs that are not there, not delivered or not received, and entries not judged.
    pub lost: i64,
    /// Jobs and messages that nothing asks for, and entries judged more than once.
    pub doubled: i64,
}

/// What SQL counts.
#[derive(FromRow)]
struct Counted {
    events: i64,
    expected: i64,
    jobs: i64,
    superseded: i64,
    missing: i64,
    unreceived: i64,
    unasked: i64,
    twins: i64,
    unknown: i64,
    entries: i64,
    judged: i64,
}

/// The triggers of [`crate::load::triggers`] once more, in SQL; whoever matches matches in each of
/// the event's revisions.
const COUNT: &str = r#"
WITH matches AS (
    SELECT t.id AS trigger_id, e.id, e."timestamp", e.revision, e.invalidated
    FROM events e
    JOIN triggers t ON t.name = 'validations' AND e.registry = 'validation'
        OR t.name = 'low-score' AND e.registry = 'reputation'
           AND (e.data ->> 'value')::numeric < 50
), expected AS (
    SELECT * FROM matches WHERE NOT invalidated
), received AS (
    SELECT unnest($1::uuid[]) AS id
), known AS (
    SELECT j.*, m.revision AS present,
           m.revision = j.event_revision AND NOT m.invalidated AS is_expected
    FROM jobs j
    LEFT JOIN matches m ON m.trigger_id = j.trigger_id AND m.id = j.event_id
        AND m."timestamp" = j.event_timestamp
)
SELECT (SELECT count(*) FROM events) AS events,
       (SELECT count(*) FROM expected) AS expected,
       (SELECT count(*) FROM known WHERE is_expected AND state <> 'cancelled') AS jobs,
       (SELECT count(*) FROM known WHERE event_revision < present) AS superseded,
       (SELECT count(*) FROM expected x WHERE NOT EXISTS (
            SELECT FROM jobs j
            WHERE j.trigger_id = x.trigger_id AND j.event_id = x.id
              AND j.event_timestamp = x."timestamp" AND j.event_revision = x.revision
              AND j.state = 'delivered')) AS missing,
       (SELECT count(*) FROM jobs
        WHERE state = 'delivered' AND id NOT IN (SELECT id FROM received)) AS unreceived,
       (SELECT count(*) FROM known
        WHERE NOT coalesce(is_expected OR event_revision < present, false)) AS unasked,
       (SELECT count(*) - count(DISTINCT (trigger_id, action_id, event_id, event_timestamp,
                                          event_revision)) FROM jobs) AS twins,
       (SELECT count(*) FROM received WHERE id NOT IN (SELECT id FROM jobs)) AS unknown,
       (SELECT count(*) FROM event_log) AS entries,
       (SELECT coalesce(sum(entries_judged), 0)::bigint FROM shard_cursors) AS judged
"#;

/// Judges a database at rest by what a receiver got.
///
/// # Errors
/// PostgreSQL's.
pub async fn reach(pool: &PgPool, messages: &Messages) -> Result<Verdict> {
    let received: Vec<Uuid> = messages.keys().copied().collect();
    let counted: Counted = sqlx::query_as(COUNT).bind(&received).fetch_one(pool).await?;
    // The body of an id is one, however often it comes.
    let altered = messages.values().filter(|bodies| bodies.iter().any(|body| *body != bodies[0]));
    let altered = i64::try_from(altered.count())?;
    let unjudged = (counted.entries - counted.judged).max(0);
    let judged_again = (counted.judged - counted.entries).max(0);
    Ok(Verdict {
        events: counted.events,
        expected: counted.expected,
        jobs: counted.jobs,
        superseded: counted.superseded,
        delivered: messages.len(),
        again: messages.values().map(|bodies| bodies.len() - 1).sum(),
        lost: counted.missing + counted.unreceived + unjudged,
        doubled: counted.unasked + counted.twins + counted.unknown + judged_again + altered,
    })
}
