//! Leases on `jobs`, behind the engine's port.

use std::time::Duration;

use chrono::{DateTime, Utc};
use event_engine::delivery::job_state::JobState;
use event_engine::delivery::lease::{
    AttemptRecord, Disposition, Expired, HeldSet, Lease, Loaded, Released,
};
use event_engine::event::EventName;
use event_engine::job::JobId;
use event_engine::port::Leases;
use event_engine::trigger::TriggerId;
use sqlx::{PgPool, PgTransaction};
use uuid::Uuid;

use crate::connection::pool::answered;
use crate::delivery::jobs::reason;
use crate::delivery::{assignments, destinations, jobs, retractions};
use crate::{Result, StoreError};

/// The leases in PostgreSQL.
#[derive(Clone, Debug)]
pub struct PgLeases {
    pool: PgPool,
}

impl PgLeases {
    /// The leases of a database.
    pub fn new(pool: PgPool) -> Self {
        Self { pool }
    }
}

impl Leases for PgLeases {
    type Error = StoreError;

    fn is_refusal(error: &StoreError) -> bool {
        error.is_refusal()
    }

    async fn take(&self, holder: &str, ids: &[JobId], duration: Duration) -> Result<Vec<Lease>> {
        answered(take(&self.pool, holder, ids, duration)).await
    }

    async fn load(&self, leases: &[Lease]) -> Result<Loaded> {
        answered(assignments::load(&self.pool, leases)).await
    }

    async fn give_back(&self, holder: &str, back: &[(Lease, Duration)]) -> Result<()> {
        let of_lease = |(lease, delay): &(Lease, Duration)| {
            (lease.id, Some((lease.attempt, lease.until)), *delay)
        };
        let back: Vec<_> = back.iter().map(of_lease).collect();
        let giving = async {
            let mut transaction = self.pool.begin().await?;
            give_back(&mut transaction, holder, &back).await?;
            transaction.commit().await?;
            Ok(())
        };
        answered(giving).await
    }

    async fn disown(&self, holder: &str, ids: &[JobId]) -> Result<()> {
        answered(disown(&self.pool, holder, ids)).await
    }

    async fn finish(&self, holder: &str, attempts: &[AttemptRecord]) -> Result<()> {
        answered(finish(&self.pool, holder, attempts)).await
    }

    async fn expired(&self, leases_max: i64) -> Result<Vec<Expired>> {
        answered(expired(&self.pool, leases_max)).await
    }

    async fn release(&self, after: Option<HeldSet>) -> Result<Released> {
        answered(destinations::release(&self.pool, after)).await
    }

    async fn unpushed(&self, unpushed_for: Duration, jobs_max: i64) -> Result<Vec<JobId>> {
        answered(jobs::unpushed(&self.pool, unpushed_for, jobs_max)).await
    }
}

async fn finish(pool: &PgPool, holder: &str, attempts: &[AttemptRecord]) -> Result<()> {
    let mut transaction = pool.begin().await?;
    move_on(&mut transaction, holder, attempts).await?;
    let taken_back = record(&mut transaction, attempts).await?;
    retractions::add(&mut transaction, &taken_back).await?;
    transaction.commit().await?;
    Ok(())
}

/// A lease out of a row; each query has a row type of its own.
macro_rules! lease {
    ($row:ident, $until:expr) => {
        Lease {
            id: JobId($row.id),
            attempt: $row.attempts,
            until: $until,
            schedule_from: $row.schedule_from,
            trigger: (TriggerId($row.trigger_id), $row.trigger_version),
            action: ($row.action_id, $row.action_version),
            event: EventName { id: $row.event_id, timestamp: $row.event_timestamp },
            revision: $row.event_revision,
            created_at: $row.created_at,
            wanted_since: $row.released_at.unwrap_or($row.created_at),
            retracts: $row.retracts.map(JobId),
        }
    };
}

/// Leases due jobs. Locks go by id, as everywhere, and do not wait: a locked job is passed over.
///
/// The planner takes an array that it cannot look into for ten ids, and finds each job by its key,
/// whether the table was empty a minute ago or not. For the same reason the query repeats the
/// CHECK's condition instead of `state = 'pending'`: by the index of due jobs, each lease would go
/// through the whole backlog.
async fn take(
    pool: &PgPool,
    holder: &str,
    ids: &[JobId],
    duration: Duration,
) -> Result<Vec<Lease>> {
    let ids: Vec<Uuid> = ids.iter().map(|id| id.0).collect();
    let rows = sqlx::query!(
        r#"WITH due AS MATERIALIZED (
               SELECT job.*
               FROM unnest(ARRAY(SELECT DISTINCT unnest($1::uuid[]) ORDER BY 1)) AS named (id)
               CROSS JOIN LATERAL (
                   SELECT id, retracts, event_id, event_timestamp, event_revision, trigger_id,
                          destination_id, expires_at
                   FROM jobs
                   WHERE jobs.id = named.id AND lease_until IS NULL AND finished_at IS NULL
                     AND due_at <= now()
                   FOR UPDATE SKIP LOCKED
               ) AS job
           ), asked AS (
               SELECT due.id, CASE
                   WHEN due.retracts IS NOT NULL THEN NULL
                   WHEN e.revision IS NULL THEN $4
                   WHEN e.invalidated OR e.revision <> due.event_revision THEN $5
                   WHEN t.state = 'removed' THEN $6
                   WHEN due.expires_at <= now() THEN $9
               END AS unwanted, CASE
                   WHEN d.held_at IS NOT NULL THEN $7
                   WHEN t.state = 'disabled' AND due.retracts IS NULL THEN $8
               END AS hold
               FROM due
               LEFT JOIN LATERAL (
                   SELECT revision, invalidated FROM events
                   WHERE events.id = due.event_id AND events."timestamp" = due.event_timestamp
                   LIMIT 1
               ) e ON true
               LEFT JOIN LATERAL (
                   SELECT state FROM triggers WHERE triggers.id = due.trigger_id LIMIT 1
               ) t ON true
               LEFT JOIN LATERAL (
                   SELECT held_at FROM destinations
                   WHERE destinations.id = due.destination_id LIMIT 1
               ) d ON true
           )
           UPDATE jobs SET
               state = CASE WHEN unwanted = $9 THEN 'expired'
                            WHEN unwanted IS NOT NULL THEN 'cancelled'
                            WHEN hold IS NOT NULL THEN 'held' ELSE 'leased' END,
               attempts = attempts
                   + CASE WHEN coalesce(unwanted, hold) IS NULL THEN 1 ELSE 0 END,
               lease_holder = CASE WHEN coalesce(unwanted, hold) IS NULL THEN $2 END,
               lease_until = CASE WHEN coalesce(unwanted, hold) IS NULL
                                  THEN now() + make_interval(secs => $3) END,
               finished_at = CASE WHEN unwanted IS NOT NULL THEN now() END,
               reason = coalesce(unwanted, hold)
           FROM asked
           WHERE jobs.id = asked.id
           RETURNING jobs.id, lease_until, attempts, schedule_from, trigger_id,
                     trigger_version, action_id, action_version, event_id, event_timestamp,
                     event_revision, created_at, released_at, retracts"#,
        &ids,
        holder,
        duration.as_secs_f64(),
        reason::EVENT_DELETED,
        reason::EVENT_INVALIDATED,
        reason::TRIGGER_REMOVED,
        reason::DESTINATION_HELD,
        reason::TRIGGER_DISABLED,
        reason::EXPIRED,
    )
    .fetch_all(pool)
    .await?;
    // A job that has ended or is held has no lease.
    Ok(rows.into_iter().filter_map(|row| Some(lease!(row, row.lease_until?))).collect())
}

/// Gives back the leases that `holder` has on these jobs.
///
/// A [`take`] of theirs may still be under way. The lock waits for its end, and the statement
/// behind the lock sees its leases. Both are one transaction: if its answer is given up, the
/// second is never sent, so that no later lease of these jobs is given back.
async fn disown(pool: &PgPool, holder: &str, ids: &[JobId]) -> Result<()> {
    let locked: Vec<Uuid> = ids.iter().map(|id| id.0).collect();
    let back: Vec<_> = ids.iter().map(|id| (*id, None, Duration::ZERO)).collect();
    let mut transaction = pool.begin().await?;
    sqlx::query!(
        "SELECT job.id
         FROM unnest(ARRAY(SELECT DISTINCT unnest($1::uuid[]) ORDER BY 1)) AS named (id)
         CROSS JOIN LATERAL (SELECT id FROM jobs WHERE jobs.id = named.id FOR UPDATE) AS job",
        &locked,
    )
    .fetch_all(&mut *transaction)
    .await?;
    give_back(&mut transaction, holder, &back).await?;
    transaction.commit().await?;
    Ok(())
}

/// A lease's attempt and end.
type LeaseName = (i32, DateTime<Utc>);

/// Gives leases back: of each job the one of this attempt and end, or any that `holder` has. The
/// number alone would not do: the next lease has it again, and a call whose answer was lost is
/// repeated.
async fn give_back(
    transaction: &mut PgTransaction<'static>,
    holder: &str,
    back: &[(JobId, Option<LeaseName>, Duration)],
) -> Result<()> {
    let ids: Vec<Uuid> = back.iter().map(|(id, ..)| id.0).collect();
    let (numbers, ends): (Vec<Option<i32>>, Vec<Option<DateTime<Utc>>>) =
        back.iter().map(|(_, lease, _)| lease.unzip()).unzip();
    let delays: Vec<f64> = back.iter().map(|(.., delay)| delay.as_secs_f64()).collect();
    let given = sqlx::query!(
        "WITH held AS MATERIALIZED (
             SELECT jobs.id, back.delay
             FROM unnest($2::uuid[], $3::integer[], $4::timestamptz[], $5::double precision[])
                  AS back (id, attempt, lease_until, delay)
             JOIN jobs ON jobs.id = back.id
                  AND jobs.attempts = COALESCE(back.attempt, jobs.attempts)
                  AND jobs.lease_until = COALESCE(back.lease_until, jobs.lease_until)
             WHERE state = 'leased' AND lease_holder = $1
             ORDER BY jobs.id
             FOR UPDATE OF jobs
         )
         UPDATE jobs SET state = 'pending', attempts = attempts - 1, lease_holder = NULL,
                         lease_until = NULL,
                         due_at = least(now() + make_interval(secs => held.delay), expires_at),
                         pushed_at = '-infinity'
         FROM held
         WHERE jobs.id = held.id
         RETURNING jobs.id, attempts",
        holder,
        &ids,
        &numbers as &[Option<i32>],
        &ends as &[Option<DateTime<Utc>>],
        &delays,
    )
    .fetch_all(&mut **transaction)
    .await?;
    // An earlier attempt for an event that was invalidated meanwhile may have arrived.
    let attempted = given.iter().filter(|job| job.attempts > 0).map(|job| job.id);
    retractions::add(transaction, &attempted.collect::<Vec<_>>()).await
}

/// Locks the jobs by id, and moves on those still ours.
///
/// The processor ([`jobs::cancel_superseded`](crate::delivery::jobs::cancel_superseded)) locks them
/// too, after the event was invalidated. If it is first, we wait here, and `record`, a statement of
/// its own, sees the event as it is now. If we are, it waits for our commit, and then finds our
/// results. Once the processor has judged the event, every invalidated result is marked.
async fn move_on(
    transaction: &mut PgTransaction<'static>,
    holder: &str,
    attempts: &[AttemptRecord],
) -> Result<()> {
    let ids: Vec<Uuid> = attempts.iter().map(|a| a.lease.id.0).collect();
    let numbers: Vec<i32> = attempts.iter().map(|a| a.lease.attempt).collect();
    let ends: Vec<DateTime<Utc>> = attempts.iter().map(|a| a.lease.until).collect();
    let states: Vec<&str> = attempts.iter().map(|a| state(&a.disposition).as_str()).collect();
    let delays: Vec<f64> = attempts.iter().map(|a| delay(&a.disposition).as_secs_f64()).collect();
    let reasons: Vec<Option<&str>> = attempts.iter().map(|a| reason_of(&a.disposition)).collect();
    sqlx::query!(
        "WITH locked AS MATERIALIZED (
             SELECT job.id
             FROM unnest(ARRAY(SELECT DISTINCT unnest($1::uuid[]) ORDER BY 1)) AS named (id)
             CROSS JOIN LATERAL (SELECT id FROM jobs WHERE jobs.id = named.id FOR UPDATE) AS job
         )
         UPDATE jobs SET state = ended.state,
                due_at = CASE WHEN ended.state = 'pending'
                              THEN least(now() + make_interval(secs => ended.delay), expires_at)
                              ELSE due_at END,
                pushed_at = '-infinity', lease_holder = NULL, lease_until = NULL,
                finished_at = CASE WHEN ended.state <> 'pending' THEN now() END,
                reason = ended.reason
         FROM unnest($1::uuid[], $2::integer[], $3::text[], $4::double precision[], $5::text[],
                     $7::timestamptz[])
              AS ended (id, attempt, state, delay, reason, lease_until)
         JOIN locked ON locked.id = ended.id
         WHERE jobs.id = ended.id AND jobs.attempts = ended.attempt
           AND (jobs.state = 'leased' AND jobs.lease_holder = $6
                AND jobs.lease_until = ended.lease_until
                OR jobs.state IN ('pending', 'held', 'expired', 'dead')
                   AND ended.state = 'delivered')",
        &ids,
        &numbers,
        &states as &[&str],
        &delays,
        &reasons as &[Option<&str>],
        holder,
        &ends,
    )
    .execute(&mut **transaction)
    .await?;
    Ok(())
}

/// Records the attempts. Returns the jobs whose event was invalidated.
async fn record(
    transaction: &mut PgTransaction<'static>,
    attempts: &[AttemptRecord],
) -> Result<Vec<Uuid>> {
    let ids: Vec<Uuid> = attempts.iter().map(|a| a.lease.id.0).collect();
    let numbers: Vec<i32> = attempts.iter().map(|a| a.lease.attempt).collect();
    let kinds: Vec<&str> = attempts.iter().map(|a| a.action_type.as_str()).collect();
    let statuses: Vec<&str> = attempts.iter().map(|a| a.attempt.outcome.status()).collect();
    let durations: Vec<Option<i32>> = attempts
        .iter()
        .map(|a| a.attempt.duration.map(|d| i32::try_from(d.as_millis()).unwrap_or(i32::MAX)))
        .collect();
    let codes: Vec<Option<i16>> =
        attempts.iter().map(|a| i16::try_from(a.attempt.http_status?).ok()).collect();
    let errors: Vec<Option<&str>> = attempts.iter().map(|a| a.attempt.error.as_deref()).collect();
    let responses: Vec<Option<&str>> =
        attempts.iter().map(|a| a.attempt.response.as_deref()).collect();
    // Named, so that a hypertable looks into the chunks that it is about and no others.
    let times = || attempts.iter().map(|a| a.lease.event.timestamp);
    let (earliest, latest) = (times().min().unwrap_or_default(), times().max().unwrap_or_default());
    // A lost attempt may turn out delivered: the worker was only slower than its lease.
    let recorded = sqlx::query!(
        "INSERT INTO action_results (job_id, trigger_id, trigger_version, action_id, action_type,
                chain_id, event_id, event_timestamp, event_revision, attempt, status, duration_ms,
                http_status, error, response, invalidated)
         SELECT j.id, j.trigger_id, j.trigger_version, j.action_id, ended.kind, j.chain_id,
                j.event_id, j.event_timestamp, j.event_revision, ended.attempt, ended.status,
                ended.duration_ms, ended.http_status, ended.error, ended.response,
                j.retracts IS NULL
                AND COALESCE(e.invalidated OR e.revision > j.event_revision, false)
         FROM unnest($1::uuid[], $2::integer[], $3::text[], $4::text[], $5::integer[],
                     $6::smallint[], $7::text[], $8::text[])
              AS ended (id, attempt, kind, status, duration_ms, http_status, error, response)
         CROSS JOIN LATERAL (SELECT * FROM jobs WHERE jobs.id = ended.id LIMIT 1) AS j
         LEFT JOIN LATERAL (
             SELECT revision, invalidated FROM events
             WHERE events.id = j.event_id AND events.\"timestamp\" = j.event_timestamp
               AND events.\"timestamp\" BETWEEN $9 AND $10
             LIMIT 1
         ) e ON true
         ON CONFLICT (job_id, attempt) DO UPDATE
         SET status = excluded.status, duration_ms = excluded.duration_ms,
             http_status = excluded.http_status, error = excluded.error,
             response = excluded.response,
             invalidated = action_results.invalidated OR excluded.invalidated
         WHERE action_results.status = 'lost'
         RETURNING job_id, invalidated",
        &ids,
        &numbers,
        &kinds as &[&str],
        &statuses as &[&str],
        &durations as &[Option<i32>],
        &codes as &[Option<i16>],
        &errors as &[Option<&str>],
        &responses as &[Option<&str>],
        earliest,
        latest,
    )
    .fetch_all(&mut **transaction)
    .await?;
    Ok(recorded.iter().filter(|result| result.invalidated).map(|result| result.job_id).collect())
}

fn state(disposition: &Disposition) -> JobState {
    match disposition {
        Disposition::Delivered => JobState::Delivered,
        Disposition::Retry(_) => JobState::Pending,
        Disposition::Dead(_) => JobState::Dead,
    }
}

fn delay(disposition: &Disposition) -> Duration {
    match disposition {
        Disposition::Retry(delay) => *delay,
        Disposition::Delivered | Disposition::Dead(_) => Duration::ZERO,
    }
}

fn reason_of(disposition: &Disposition) -> Option<&str> {
    match disposition {
        Disposition::Dead(reason) => Some(reason),
        Disposition::Delivered | Disposition::Retry(_) => None,
    }
}

async fn expired(pool: &PgPool, leases_max: i64) -> Result<Vec<Expired>> {
    let rows = sqlx::query!(
        r#"SELECT j.id, attempts, schedule_from, j.trigger_id, trigger_version, j.action_id,
                  action_version, event_id, event_timestamp, event_revision, j.created_at,
                  j.released_at, j.retracts,
                  lease_holder AS "lease_holder!", lease_until AS "lease_until!",
                  a.action_type AS "action_type?", a.retry AS "retry?"
           FROM jobs j
           LEFT JOIN trigger_actions a ON a.trigger_id = j.trigger_id
                AND a.action_id = j.action_id AND a.version = j.action_version
           WHERE state = 'leased' AND lease_until < now()
           ORDER BY lease_until
           LIMIT $1"#,
        leases_max,
    )
    .fetch_all(pool)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| Expired {
            lease: lease!(row, row.lease_until),
            holder: row.lease_holder,
            action_type: row.action_type,
            retry: row.retry.and_then(|text| text.parse().ok()),
        })
        .collect())
}
