//! Jobs and their attempts, as an operator looks at them.

use chrono::{DateTime, Utc};
use event_engine::delivery::job_state::JobState;
use event_engine::delivery::lease::Reinclusion;
use serde::{Deserialize, Serialize};
use sqlx::PgPool;
use sqlx::types::Json;
use uuid::Uuid;

use super::slice::{ROWS_READ_MAX, ReadRow, Slice, slice};
use crate::Result;
use crate::connection::stored_text::StoredText;

/// A job.
#[derive(Clone, Debug, Serialize)]
pub struct Job {
    /// Its id, and the `webhook-id` of its messages.
    pub id: Uuid,
    /// The job that it retracts.
    pub retracts: Option<Uuid>,
    /// The same transaction's event in another block: before a match, or after a retracted one.
    pub reincluded: Option<Json<Reinclusion>>,
    /// `pending`, `held`, `leased`, `delivered`, `cancelled`, `expired` or `dead`.
    pub state: JobState,
    /// Attempts started.
    pub attempts: i32,
    /// The name of its trigger.
    pub trigger_name: Option<String>,
    /// The version that matched.
    pub trigger_version: i32,
    /// Its action.
    pub action_id: String,
    /// The version of the action's configuration.
    pub action_version: i32,
    /// The chain.
    pub chain_id: i64,
    /// The event that matched.
    pub event_id: String,
    /// Its block time, unix seconds.
    pub event_timestamp: i64,
    /// The revision that was judged.
    pub event_revision: i32,
    /// The set of triggers that it was judged by.
    pub triggers_revision: i64,
    /// When it was decided.
    pub created_at: DateTime<Utc>,
    /// When its next attempt is due.
    pub due_at: DateTime<Utc>,
    /// When it is stale; null: never.
    pub expires_at: Option<DateTime<Utc>>,
    /// When it ended.
    pub finished_at: Option<DateTime<Utc>>,
    /// Why it was cancelled or expired, or is held or dead.
    pub reason: Option<String>,
}

/// An attempt.
#[derive(Clone, Debug, Serialize)]
pub struct RecordedAttempt {
    /// From 1.
    pub attempt: i32,
    /// `delivered`, `failed` or `lost`.
    pub status: String,
    /// Its duration in milliseconds.
    pub duration_ms: Option<i32>,
    /// The receiver's HTTP status.
    pub http_status: Option<i16>,
    /// The failure, a sentence.
    pub error: Option<String>,
    /// The beginning of the receiver's answer.
    pub response: Option<String>,
    /// When it was recorded.
    pub created_at: DateTime<Utc>,
    /// True once the chain has taken the event back.
    pub invalidated: bool,
}

/// The filter of a list of jobs. `None` means all.
#[derive(Clone, Debug, Default, Serialize)]
pub struct JobFilter {
    /// Its trigger's account. Where the trigger's row was deleted by hand: `default`.
    pub account: String,
    /// The state.
    pub state: Option<JobState>,
    /// The trigger.
    pub trigger_id: Option<Uuid>,
    /// The id of the event.
    pub event_id: Option<String>,
}

/// A job's place in a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobPosition {
    /// When it was decided.
    pub created_at: DateTime<Utc>,
    /// Its id.
    pub id: Uuid,
}

/// A job out of a row; each statement has a row type of its own.
macro_rules! job {
    ($row:ident) => {
        Job {
            id: $row.id,
            retracts: $row.retracts,
            reincluded: $row.reincluded,
            state: $row.state.into(),
            attempts: $row.attempts,
            trigger_name: $row.trigger_name,
            trigger_version: $row.trigger_version,
            action_id: $row.action_id,
            action_version: $row.action_version,
            chain_id: $row.chain_id,
            event_id: $row.event_id,
            event_timestamp: $row.event_timestamp,
            event_revision: $row.event_revision,
            triggers_revision: $row.triggers_revision,
            created_at: $row.created_at,
            due_at: $row.due_at,
            expires_at: $row.expires_at,
            finished_at: $row.finished_at,
            reason: $row.reason,
        }
    };
}

/// Reads a slice of the latest jobs, newest first. Those of an event are few, and sorted.
pub async fn list(
    pool: &PgPool,
    filter: &JobFilter,
    after: Option<&JobPosition>,
    rows_max: i64,
) -> Result<Slice<Job, JobPosition>> {
    // Each way of `looked` goes along an index of its own; only that is taken whose first condition
    // holds. `uuid_send(id)` is as the index has it: see there.
    let rows = sqlx::query!(
        r#"WITH below AS (
               SELECT coalesce($5, 'infinity'::timestamptz) AS created_at,
                      uuid_send(coalesce($6, 'ffffffff-ffff-ffff-ffff-ffffffffffff'::uuid)) AS id)
           SELECT found.id AS "id!", retracts, found.state AS "state!: StoredText<JobState>",
                  attempts AS "attempts!",
                  t.name AS "trigger_name?", trigger_version AS "trigger_version!",
                  action_id AS "action_id!", action_version AS "action_version!",
                  chain_id AS "chain_id!", event_id AS "event_id!",
                  event_timestamp AS "event_timestamp!", event_revision AS "event_revision!",
                  triggers_revision AS "triggers_revision!", found.created_at AS "created_at!",
                  due_at AS "due_at!", expires_at, finished_at, reason,
                  reincluded AS "reincluded: Json<Reinclusion>",
                  place AS "place!", is_wanted AS "is_wanted!"
           FROM (SELECT *
                 FROM (SELECT looked.*, row_number() OVER () AS place,
                              ($1::text IS NULL OR state = $1)
                              AND ($2::uuid IS NULL OR trigger_id = $2)
                              AND coalesce((SELECT account FROM triggers
                                            WHERE triggers.id = trigger_id), 'default') = $4
                                  AS is_wanted
                       FROM ((SELECT * FROM jobs
                              WHERE $3::text IS NULL AND $1::text IS DISTINCT FROM 'dead'
                                AND (created_at, uuid_send(id)) < ((SELECT created_at FROM below),
                                                        (SELECT id FROM below))
                              ORDER BY created_at DESC, uuid_send(id) DESC LIMIT $8)
                             UNION ALL
                             (SELECT * FROM jobs
                              WHERE $3 IS NULL AND $1 = 'dead' AND state = 'dead'
                                AND (created_at, uuid_send(id)) < ((SELECT created_at FROM below),
                                                        (SELECT id FROM below))
                              ORDER BY created_at DESC, uuid_send(id) DESC LIMIT $8)
                             UNION ALL
                             (SELECT * FROM (SELECT * FROM jobs WHERE event_id = $3 OFFSET 0) AS its
                              WHERE (created_at, uuid_send(id)) < ((SELECT created_at FROM below),
                                                        (SELECT id FROM below))
                              ORDER BY created_at DESC, uuid_send(id) DESC
                              LIMIT $8)) AS looked) AS numbered
                 WHERE is_wanted OR place = $8
                 LIMIT $7::bigint + 1) AS found
           LEFT JOIN triggers t ON t.id = found.trigger_id"#,
        filter.state.map(JobState::as_str),
        filter.trigger_id,
        filter.event_id,
        filter.account,
        after.map(|after| after.created_at),
        after.map(|after| after.id),
        rows_max,
        ROWS_READ_MAX,
    )
    .fetch_all(pool)
    .await?;
    let read = rows.into_iter().map(|row| {
        let (place, is_wanted) = (row.place, row.is_wanted);
        let position = JobPosition { created_at: row.created_at, id: row.id };
        ReadRow { row: job!(row), position, place, is_wanted }
    });
    Ok(slice(read.collect(), rows_max))
}

/// A job of an account.
pub async fn by_id(pool: &PgPool, account: &str, id: Uuid) -> Result<Option<Job>> {
    let row = sqlx::query!(
        r#"SELECT j.id, retracts, j.state AS "state: StoredText<JobState>", attempts,
                  t.name AS "trigger_name?", trigger_version,
                  action_id, action_version, chain_id, event_id, event_timestamp, event_revision,
                  triggers_revision, j.created_at, due_at, expires_at, finished_at, reason,
                  reincluded AS "reincluded: Json<Reinclusion>"
           FROM jobs j
           LEFT JOIN triggers t ON t.id = j.trigger_id
           WHERE j.id = $1 AND coalesce(t.account, 'default') = $2"#,
        id,
        account,
    )
    .fetch_optional(pool)
    .await?;
    Ok(row.map(|row| job!(row)))
}

/// The attempts of a job, in order.
pub async fn attempts(pool: &PgPool, job: Uuid) -> Result<Vec<RecordedAttempt>> {
    let attempts = sqlx::query_as!(
        RecordedAttempt,
        "SELECT attempt, status, duration_ms, http_status, error, response, created_at, invalidated
         FROM action_results WHERE job_id = $1 ORDER BY attempt",
        job,
    )
    .fetch_all(pool)
    .await?;
    Ok(attempts)
}
