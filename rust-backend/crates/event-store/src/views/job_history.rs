//! Jobs and their attempts, as an operator looks at them.

use chrono::{DateTime, Utc};
use event_engine::delivery::job_state::JobState;
use event_engine::delivery::lease::OtherInclusion;
use serde::Serialize;
use sqlx::PgPool;
use sqlx::types::Json;
use uuid::Uuid;

use crate::Result;
use crate::connection::stored_text::StoredText;

/// A job.
#[derive(Clone, Debug, Serialize)]
pub struct Job {
    /// Its id, and the `webhook-id` of its messages.
    pub id: Uuid,
    /// The job that it retracts.
    pub retracts: Option<Uuid>,
    /// The same transaction's event in another block: before a match, or after what is retracted.
    pub reincluded: Option<Json<OtherInclusion>>,
    /// Where it stands.
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
    /// When it ended.
    pub finished_at: Option<DateTime<Utc>>,
    /// Why it was cancelled or is dead.
    pub reason: Option<String>,
}

/// An attempt.
#[derive(Clone, Debug, Serialize)]
pub struct Attempt {
    /// From 1.
    pub attempt: i32,
    /// `delivered`, `failed` or `lost`.
    pub status: String,
    /// How long it took, in milliseconds.
    pub duration_ms: Option<i32>,
    /// The receiver's HTTP status.
    pub http_status: Option<i16>,
    /// What went wrong.
    pub error: Option<String>,
    /// The beginning of what the receiver answered.
    pub response: Option<String>,
    /// When it was recorded.
    pub created_at: DateTime<Utc>,
    /// True once the chain has taken the event back.
    pub invalidated: bool,
}

/// Which jobs a list asks for. `None` means all.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// The state.
    pub state: Option<JobState>,
    /// The name of the trigger.
    pub trigger_name: Option<String>,
    /// The id of the event.
    pub event_id: Option<String>,
    /// The job's id.
    pub id: Option<Uuid>,
}

/// The latest jobs, newest first.
pub async fn list(pool: &PgPool, filter: &Filter, rows_max: i64) -> Result<Vec<Job>> {
    let jobs = sqlx::query_as!(
        Job,
        r#"SELECT j.id, retracts, j.state AS "state: StoredText<JobState>", attempts,
                  t.name AS "trigger_name?",
                  trigger_version, action_id, action_version, chain_id, event_id, event_timestamp,
                  event_revision, triggers_revision, j.created_at, due_at, finished_at, reason,
                  reincluded AS "reincluded: Json<OtherInclusion>"
           FROM jobs j
           LEFT JOIN triggers t ON t.id = j.trigger_id
           WHERE ($1::text IS NULL OR j.state = $1)
             AND ($2::text IS NULL OR t.name = $2)
             AND ($3::text IS NULL OR j.event_id = $3)
             AND ($4::uuid IS NULL OR j.id = $4)
           ORDER BY j.created_at DESC, j.id
           LIMIT $5"#,
        filter.state.map(JobState::as_str),
        filter.trigger_name,
        filter.event_id,
        filter.id,
        rows_max,
    )
    .fetch_all(pool)
    .await?;
    Ok(jobs)
}

/// The attempts of a job, in order.
pub async fn attempts(pool: &PgPool, job: Uuid) -> Result<Vec<Attempt>> {
    let attempts = sqlx::query_as!(
        Attempt,
        "SELECT attempt, status, duration_ms, http_status, error, response, created_at, invalidated
         FROM action_results WHERE job_id = $1 ORDER BY attempt",
        job,
    )
    .fetch_all(pool)
    .await?;
    Ok(attempts)
}
