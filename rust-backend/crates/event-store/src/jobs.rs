//! Table `jobs`: the outbox of a batch, and what becomes of each job.

use event_engine::event::{ChainId, EventName};
use event_engine::job::{JobId, NewJob};
use sqlx::{PgConnection, PgPool};
use uuid::Uuid;

use crate::Result;

/// Why a job is cancelled, word for word in `jobs.reason`.
pub mod reason {
    /// The chain took the event back, or another block took its name over.
    pub const EVENT_INVALIDATED: &str = "event invalidated";
    /// The event's row is gone, so there is nothing to send.
    pub const EVENT_DELETED: &str = "event deleted";
    /// Its owner removed the trigger.
    pub const TRIGGER_REMOVED: &str = "trigger removed";
}

/// Adds the jobs of a plan. One that is there already stays as it is.
///
/// They count as pushed, because their ids go to Redis as soon as the transaction is committed;
/// where that fails, the sweep finds them a second later.
pub(crate) async fn add(
    connection: &mut PgConnection,
    shard: ChainId,
    triggers_revision: i64,
    jobs: &[NewJob],
) -> Result<()> {
    if jobs.is_empty() {
        return Ok(());
    }
    let ids: Vec<Uuid> = jobs.iter().map(|job| job.id.0).collect();
    let triggers: Vec<Uuid> = jobs.iter().map(|job| job.trigger.0.0).collect();
    let trigger_versions: Vec<i32> = jobs.iter().map(|job| job.trigger.1).collect();
    let actions: Vec<&str> = jobs.iter().map(|job| job.action.0.as_str()).collect();
    let action_versions: Vec<i32> = jobs.iter().map(|job| job.action.1).collect();
    let events: Vec<&str> = jobs.iter().map(|job| job.event.id.as_str()).collect();
    let times: Vec<i64> = jobs.iter().map(|job| job.event.timestamp).collect();
    let revisions: Vec<i32> = jobs.iter().map(|job| job.revision).collect();
    let readings: Vec<Option<&str>> = jobs.iter().map(|job| job.readings.as_deref()).collect();
    sqlx::query!(
        "INSERT INTO jobs (id, trigger_id, trigger_version, action_id, action_version, event_id,
                           event_timestamp, event_revision, readings, chain_id,
                           triggers_revision, pushed_at)
         SELECT new.id, new.trigger_id, new.trigger_version, new.action_id, new.action_version,
                new.event_id, new.event_timestamp, new.event_revision, new.readings::jsonb,
                $9, $10, now()
         FROM unnest($1::uuid[], $2::uuid[], $3::integer[], $4::text[], $5::integer[], $6::text[],
                     $7::bigint[], $8::integer[], $11::text[])
              AS new (id, trigger_id, trigger_version, action_id, action_version, event_id,
                      event_timestamp, event_revision, readings)
         ON CONFLICT (id) DO NOTHING",
        &ids,
        &triggers,
        &trigger_versions,
        &actions as &[&str],
        &action_versions,
        &events as &[&str],
        &times,
        &revisions,
        shard.0,
        triggers_revision,
        &readings as &[Option<&str>],
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Cancels what is still pending for revisions below the number given.
///
/// Locks the others too, so that whoever records an attempt of theirs has either committed before
/// the results are marked, or sees the event as it is now: [`crate::PgLeases`]'s `finish`.
pub(crate) async fn withdraw(
    connection: &mut PgConnection,
    withdrawals: &[(EventName, i32)],
) -> Result<()> {
    let (ids, times, below) = columns(withdrawals);
    sqlx::query_scalar!(
        r#"SELECT j.id
           FROM unnest($1::text[], $2::bigint[], $3::integer[]) AS w (id, "timestamp", below)
           JOIN jobs j ON j.event_id = w.id AND j.event_timestamp = w."timestamp"
                AND j.event_revision < w.below
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
             AND j.event_revision < w.below AND j.state = 'pending'"#,
        &ids as &[&str],
        &times,
        &below,
        reason::EVENT_INVALIDATED,
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Withdrawals as arrays for `unnest`.
pub(crate) fn columns(withdrawals: &[(EventName, i32)]) -> (Vec<&str>, Vec<i64>, Vec<i32>) {
    let ids = withdrawals.iter().map(|(event, _)| event.id.as_str()).collect();
    let times = withdrawals.iter().map(|(event, _)| event.timestamp).collect();
    let below = withdrawals.iter().map(|(_, below)| *below).collect();
    (ids, times, below)
}

/// Cancels what the removed triggers still have pending, and says how many jobs that were. What is
/// under way ends by itself; what is decided meanwhile is cancelled when a worker asks for it.
pub(crate) async fn cancel_of_triggers(
    connection: &mut PgConnection,
    triggers: &[Uuid],
) -> Result<u64> {
    let done = sqlx::query!(
        "WITH open AS MATERIALIZED (
             SELECT id FROM jobs
             WHERE trigger_id = ANY($1) AND state = 'pending'
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

pub(crate) async fn unpushed(pool: &PgPool, jobs_max: i64) -> Result<Vec<JobId>> {
    let ids = sqlx::query_scalar!(
        "UPDATE jobs SET pushed_at = now()
         WHERE id IN (
             SELECT id FROM jobs
             WHERE state = 'pending' AND due_at <= now()
               AND (pushed_at IS NULL OR pushed_at < now() - interval '1 second')
             ORDER BY due_at
             LIMIT $1
             FOR UPDATE SKIP LOCKED)
         RETURNING id",
        jobs_max,
    )
    .fetch_all(pool)
    .await?;
    Ok(ids.into_iter().map(JobId).collect())
}
