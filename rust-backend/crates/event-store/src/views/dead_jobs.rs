//! Jobs that will not be tried again.

use sqlx::PgPool;
use uuid::Uuid;

use crate::Result;

/// Limit of counting: an exact number of many is not worth reading them.
pub const DEAD_COUNTED_MAX: i64 = 1_000;

/// Dead jobs that ended within a time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeadJobs {
    /// Their number, at most [`DEAD_COUNTED_MAX`].
    pub number: i64,
    /// The job that ended last.
    pub last: Uuid,
    /// The name of its trigger; `None` where its row was deleted by hand.
    pub trigger_name: Option<String>,
    /// The reason why it is dead.
    pub reason: Option<String>,
    /// The failure of its last attempt, a sentence.
    pub error: Option<String>,
}

/// The jobs that ended dead within the last `hours`; `None` without any.
pub async fn within(pool: &PgPool, hours: i32) -> Result<Option<DeadJobs>> {
    let dead = sqlx::query_as!(
        DeadJobs,
        r#"SELECT number AS "number!", dead.id AS "last!", t.name AS "trigger_name?", reason,
                  (SELECT error FROM action_results r WHERE r.job_id = dead.id
                   ORDER BY attempt DESC LIMIT 1) AS error
           FROM (SELECT id, trigger_id, reason, count(*) OVER () AS number
                 FROM (SELECT id, trigger_id, reason, finished_at FROM jobs
                       WHERE state = 'dead' AND finished_at > now() - make_interval(hours => $2)
                       ORDER BY finished_at DESC LIMIT $1) AS latest
                 ORDER BY finished_at DESC LIMIT 1) AS dead
           LEFT JOIN triggers t ON t.id = dead.trigger_id"#,
        DEAD_COUNTED_MAX,
        hours,
    )
    .fetch_optional(pool)
    .await?;
    Ok(dead)
}
