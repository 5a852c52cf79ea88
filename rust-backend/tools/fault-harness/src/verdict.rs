//! The expected jobs and messages, computed from the `events` table alone, against the actual ones.

use std::collections::BTreeMap;

use anyhow::Result;
use event_store::PgPool;
use serde::Serialize;
use serde_json::Value;
use sqlx::FromRow;
use uuid::Uuid;

use crate::load::COUNTED;

/// A receiver's messages by id.
pub type Messages = BTreeMap<Uuid, Vec<Value>>;

/// Counts at rest.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Verdict {
    /// Rows of `events`.
    pub events: i64,
    /// Jobs that the valid events require, at their present revision.
    pub expected: i64,
    /// Jobs of valid events at their present revision that are not cancelled.
    pub jobs: i64,
    /// Jobs of revisions that were superseded after they were judged.
    pub superseded: i64,
    /// The attempted ones among them, whose retraction was delivered.
    pub retracted: i64,
    /// Ids that the receiver got.
    pub delivered: usize,
    /// Messages beyond the first of an id: delivery is at least once.
    pub again: usize,
    /// Attempts that count and of which no message came.
    pub burnt: i64,
    /// Expected jobs that are missing, undelivered or not received; attempted jobs of superseded
    /// events without a retraction; events missing from a trigger's state; entries not judged.
    pub lost: i64,
    /// Jobs, retractions, messages and observations without a reason, and entries judged more than
    /// once.
    pub doubled: i64,
}

/// Counts from SQL.
#[derive(FromRow)]
struct Counted {
    events: i64,
    expected: i64,
    jobs: i64,
    superseded: i64,
    retracted: i64,
    unretracted: i64,
    retracted_in_vain: i64,
    missing: i64,
    unreceived: i64,
    unasked: i64,
    twins: i64,
    unknown: i64,
    forgotten: i64,
    imagined: i64,
    entries: i64,
    judged: i64,
    attempts: i64,
}

/// The triggers of [`crate::load::triggers`] repeated in SQL. An event that matches does so in each
/// of its revisions.
const COUNT: &str = r#"
WITH matches AS (
    SELECT t.id AS trigger_id, t.name AS trigger_name, e.id, e."timestamp", e.revision,
           e.invalidated
    FROM events e
    JOIN triggers t ON t.name = 'validations' AND e.registry = 'validation'
        OR t.name = 'low-score' AND e.registry = 'reputation'
           AND (e.data ->> 'value')::numeric < 50
        OR t.name = $2 AND e.registry = 'identity'
), expected AS (
    SELECT * FROM matches WHERE NOT invalidated
), counted AS (
    SELECT id, revision FROM expected WHERE trigger_name = $2
), observed AS (
    SELECT event_id, event_revision FROM trigger_observations
), received AS (
    SELECT unnest($1::uuid[]) AS id
), known AS (
    SELECT j.*, m.revision AS present,
           m.revision = j.event_revision AND NOT m.invalidated AS is_expected
    FROM jobs j
    LEFT JOIN matches m ON m.trigger_id = j.trigger_id AND m.id = j.event_id
        AND m."timestamp" = j.event_timestamp
    WHERE j.retracts IS NULL
), retractions AS (
    SELECT * FROM jobs WHERE retracts IS NOT NULL
)
SELECT (SELECT count(*) FROM events) AS events,
       (SELECT count(*) FROM expected) AS expected,
       (SELECT count(*) FROM known WHERE is_expected AND state <> 'cancelled') AS jobs,
       (SELECT count(*) FROM known WHERE event_revision < present) AS superseded,
       (SELECT count(*) FROM retractions WHERE state = 'delivered') AS retracted,
       (SELECT count(*) FROM known
        WHERE attempts > 0 AND NOT is_expected
          AND id NOT IN (SELECT retracts FROM retractions WHERE state = 'delivered')
       ) AS unretracted,
       (SELECT count(*) FROM retractions
        WHERE retracts NOT IN (SELECT id FROM known WHERE attempts > 0 AND NOT is_expected)
       ) AS retracted_in_vain,
       (SELECT count(*) FROM expected x WHERE NOT EXISTS (
            SELECT FROM known j
            WHERE j.trigger_id = x.trigger_id AND j.event_id = x.id
              AND j.event_timestamp = x."timestamp" AND j.event_revision = x.revision
              AND j.state = 'delivered')) AS missing,
       (SELECT count(*) FROM jobs
        WHERE state = 'delivered' AND id NOT IN (SELECT id FROM received)) AS unreceived,
       (SELECT count(*) FROM known
        WHERE NOT coalesce(is_expected OR event_revision < present, false)) AS unasked,
       (SELECT count(*) - count(DISTINCT (trigger_id, action_id, event_id, event_timestamp,
                                          event_revision)) FROM known) AS twins,
       (SELECT count(*) FROM received WHERE id NOT IN (SELECT id FROM jobs)) AS unknown,
       (SELECT count(*) FROM (TABLE counted EXCEPT ALL TABLE observed) AS missing) AS forgotten,
       (SELECT count(*) FROM (TABLE observed EXCEPT ALL TABLE counted) AS excess) AS imagined,
       (SELECT count(*) FROM event_log) AS entries,
       (SELECT coalesce(sum(entries_judged), 0)::bigint FROM shard_cursors) AS judged,
       (SELECT coalesce(sum(attempts), 0)::bigint FROM jobs) AS attempts
"#;

/// Judges a database at rest by a receiver's messages.
///
/// # Errors
/// PostgreSQL's.
pub async fn reach(pool: &PgPool, messages: &Messages) -> Result<Verdict> {
    let received: Vec<Uuid> = messages.keys().copied().collect();
    let query = sqlx::query_as(COUNT).bind(&received).bind(COUNTED);
    let counted: Counted = query.fetch_one(pool).await?;
    // All bodies of an id must be the same.
    let altered = messages.values().filter(|bodies| bodies.iter().any(|body| *body != bodies[0]));
    let altered = i64::try_from(altered.count())?;
    let received_in_all: usize = messages.values().map(Vec::len).sum();
    let unjudged = (counted.entries - counted.judged).max(0);
    let judged_again = (counted.judged - counted.entries).max(0);
    Ok(Verdict {
        events: counted.events,
        expected: counted.expected,
        jobs: counted.jobs,
        superseded: counted.superseded,
        retracted: counted.retracted,
        delivered: messages.len(),
        burnt: (counted.attempts - i64::try_from(received_in_all)?).max(0),
        again: messages.values().map(|bodies| bodies.len() - 1).sum(),
        lost: counted.missing
            + counted.unreceived
            + counted.unretracted
            + counted.forgotten
            + unjudged,
        doubled: counted.unasked
            + counted.retracted_in_vain
            + counted.imagined
            + counted.twins
            + counted.unknown
            + judged_again
            + altered,
    })
}
