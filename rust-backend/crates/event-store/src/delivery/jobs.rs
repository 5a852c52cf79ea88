//! Table `jobs`: the outbox of a batch, and each job's end.

use std::time::Duration;

use event_engine::decide::Supersession;
use event_engine::event::ChainId;
use event_engine::job::{JobId, NewJob};
use sqlx::{PgConnection, PgPool};
use uuid::Uuid;

use crate::Result;
use crate::delivery::retractions;

/// Why a job is cancelled, expired or held, word for word in `jobs.reason`.
pub mod reason {
    /// It was stale before its receiver took it.
    pub const EXPIRED: &str = "stale";
    /// Its destination is held.
    pub const DESTINATION_HELD: &str = "destination held";
    /// Its trigger is disabled.
    pub const TRIGGER_DISABLED: &str = "trigger disabled";
    /// The chain took the event back, or says something else under its name.
    pub const EVENT_INVALIDATED: &str = "event invalidated";
    /// The event's row is gone, so there is nothing to send.
    pub const EVENT_DELETED: &str = "event deleted";
    /// Its account removed the trigger.
    pub const TRIGGER_REMOVED: &str = "trigger removed";
}

/// The jobs of a batch as arrays for `unnest`. A job that is stored already stays as it is.
///
/// They count as pushed, because their ids go to Redis as soon as the transaction is committed;
/// where that fails, the sweep finds them a second later.
#[derive(Debug, Default)]
pub(crate) struct JobColumns<'a> {
    pub(crate) ids: Vec<Uuid>,
    pub(crate) triggers: Vec<Uuid>,
    pub(crate) trigger_versions: Vec<i32>,
    pub(crate) actions: Vec<&'a str>,
    pub(crate) action_versions: Vec<i32>,
    pub(crate) events: Vec<&'a str>,
    pub(crate) times: Vec<i64>,
    pub(crate) revisions: Vec<i32>,
    pub(crate) transactions: Vec<&'a str>,
    pub(crate) readings: Vec<Option<&'a str>>,
    pub(crate) chains: Vec<i64>,
}

impl<'a> JobColumns<'a> {
    /// Adds the jobs of a plan for `shard`.
    pub(crate) fn extend(&mut self, shard: ChainId, jobs: &'a [NewJob]) {
        for job in jobs {
            self.ids.push(job.id.0);
            self.triggers.push(job.trigger.0.0);
            self.trigger_versions.push(job.trigger.1);
            self.actions.push(&job.action.0);
            self.action_versions.push(job.action.1);
            self.events.push(&job.event.id);
            self.times.push(job.event.timestamp);
            self.revisions.push(job.revision);
            self.transactions.push(&job.transaction_hash);
            self.readings.push(job.readings.as_deref());
            self.chains.push(shard.0);
        }
    }
}

/// Cancels the pending jobs of revisions below the number given, and retracts the attempted ones.
/// An attempt under way is retracted when it has ended.
///
/// Locks the others too: an attempt of theirs is recorded either before the results are marked, or
/// after, and then sees the event as it is now: [`crate::PgLeases`]'s `finish`.
pub(crate) async fn cancel_superseded(
    connection: &mut PgConnection,
    supersessions: &[&Supersession],
) -> Result<()> {
    let (ids, times, below) = columns_of(supersessions);
    let locked = sqlx::query!(
        r#"SELECT j.id, j.attempts
           FROM unnest($1::text[], $2::bigint[], $3::integer[]) AS w (id, "timestamp", below)
           JOIN jobs j ON j.event_id = w.id AND j.event_timestamp = w."timestamp"
                AND j.event_revision < w.below AND j.retracts IS NULL
           ORDER BY j.id
           FOR UPDATE OF j"#,
        &ids as &[&str],
        &times,
        &below,
    )
    .fetch_all(&mut *connection)
    .await?;
    sqlx::query!(
        r#"UPDATE jobs j SET state = 'cancelled', finished_at = now(), reason = $4
           FROM unnest($1::text[], $2::bigint[], $3::integer[]) AS w (id, "timestamp", below)
           WHERE j.event_id = w.id AND j.event_timestamp = w."timestamp"
             AND j.event_revision < w.below AND j.retracts IS NULL AND j.lease_until IS NULL
             AND j.finished_at IS NULL"#,
        &ids as &[&str],
        &times,
        &below,
        reason::EVENT_INVALIDATED,
    )
    .execute(&mut *connection)
    .await?;
    let attempted = locked.iter().filter(|job| job.attempts > 0).map(|job| job.id);
    retractions::add(connection, &attempted.collect::<Vec<_>>()).await
}

/// Supersessions as arrays for `unnest`.
pub(crate) fn columns_of<'a>(
    supersessions: &[&'a Supersession],
) -> (Vec<&'a str>, Vec<i64>, Vec<i32>) {
    let ids = supersessions.iter().map(|gone| gone.event.id.as_str()).collect();
    let times = supersessions.iter().map(|gone| gone.event.timestamp).collect();
    let below = supersessions.iter().map(|gone| gone.below).collect();
    (ids, times, below)
}

/// Cancels the waiting jobs of removed triggers, and returns their number. Retractions that wait
/// stay: their message was sent. An attempt under way ends by itself; a job decided meanwhile is
/// cancelled when a worker asks for it.
pub(crate) async fn cancel_of_triggers(
    connection: &mut PgConnection,
    triggers: &[Uuid],
) -> Result<u64> {
    let done = sqlx::query!(
        "WITH open AS MATERIALIZED (
             SELECT id FROM jobs
             WHERE trigger_id = ANY($1) AND state = 'pending' AND retracts IS NULL
             ORDER BY id
             FOR UPDATE
         )
         UPDATE jobs SET state = 'cancelled', finished_at = now(), reason = $2
         FROM open
         WHERE jobs.id = open.id",
        triggers,
        reason::TRIGGER_REMOVED,
    )
    .execute(connection)
    .await?;
    Ok(done.rows_affected())
}

/// The number of jobs that [`cancel_of_triggers`] would cancel of a trigger.
pub(crate) async fn pending_of_trigger(
    connection: &mut PgConnection,
    trigger: Uuid,
) -> Result<u64> {
    let count = sqlx::query_scalar!(
        r#"SELECT count(*) AS "count!" FROM jobs
           WHERE trigger_id = $1 AND state IN ('pending', 'held') AND retracts IS NULL"#,
        trigger,
    )
    .fetch_one(connection)
    .await?;
    Ok(u64::try_from(count).unwrap_or_default())
}

pub(crate) async fn unpushed(
    pool: &PgPool,
    unpushed_for: Duration,
    jobs_max: i64,
) -> Result<Vec<JobId>> {
    let ids = sqlx::query_scalar!(
        "UPDATE jobs SET pushed_at = now()
         WHERE id = ANY(ARRAY(
             SELECT id FROM jobs
             WHERE state = 'pending' AND due_at <= now()
               AND pushed_at < now() - make_interval(secs => $1)
             ORDER BY due_at
             LIMIT $2
             FOR UPDATE SKIP LOCKED))
         RETURNING id",
        unpushed_for.as_secs_f64(),
        jobs_max,
    )
    .fetch_all(pool)
    .await?;
    Ok(ids.into_iter().map(JobId).collect())
}
