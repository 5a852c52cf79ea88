//! The table `destinations`: holds, and the release of the jobs that waited for their end.

use event_engine::delivery::destination::DestinationId;
use event_engine::delivery::lease::{HeldSet, Released};
use event_engine::trigger::TriggerId;
use event_engine::trigger::action::ActionSpec;
use sqlx::{PgConnection, PgPool};
use uuid::Uuid;

use crate::Result;
use crate::delivery::jobs::reason;

/// Sets of held jobs that a step of the release looks at.
const SETS_LOOKED_AT_MAX: i32 = 1_000;
/// Sets of which a step releases jobs, and jobs of each: a step takes some 100 ms.
const SETS_RELEASED_MAX: i64 = 10;
const RELEASED_OF_SET_MAX: i64 = 500;

/// Adds the destinations of these actions, as far as they are new. Returns their ids, in order.
pub(crate) async fn add<'a>(
    connection: &mut PgConnection,
    account: &str,
    actions: impl Iterator<Item = &'a ActionSpec>,
) -> Result<Vec<Uuid>> {
    let (mut ids, mut names) = (Vec::new(), Vec::new());
    let (mut kinds, mut addresses) = (Vec::new(), Vec::new());
    let (mut forms, mut origins) = (Vec::new(), Vec::new());
    for ActionSpec { kind, destination, .. } in actions {
        let id = DestinationId::of(account, kind, &destination.address);
        ids.push(id.0);
        names.push(id.default_name(kind));
        kinds.push(kind.as_str());
        addresses.push(destination.address.as_str());
        forms.push(destination.form.as_str());
        origins.push(destination.origin.as_str());
    }
    sqlx::query!(
        "INSERT INTO destinations (id, account, kind, address, form, origin, name)
         SELECT DISTINCT ON (id) id, $1, kind, address, form, origin,
                -- A name is short, and may be taken: then it is as long as the id.
                CASE WHEN EXISTS (SELECT FROM destinations other
                                  WHERE other.account = $1 AND other.name = new.name
                                    AND other.id <> new.id)
                     THEN kind || '-' || id ELSE name END
         FROM unnest($2::uuid[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[])
              AS new (id, kind, address, form, origin, name)
         ORDER BY id
         ON CONFLICT (id) DO NOTHING",
        account,
        &ids,
        &kinds as &[&str],
        &addresses as &[&str],
        &forms as &[&str],
        &origins as &[&str],
        &names,
    )
    .execute(connection)
    .await?;
    Ok(ids)
}

/// Holds a destination: from the commit on no job of it is leased, and each becomes held when it is
/// due. An earlier hold keeps its time and reason. False without such a destination.
pub async fn hold(pool: &PgPool, account: &str, name: &str, reason: &str) -> Result<bool> {
    let done = sqlx::query!(
        "UPDATE destinations SET held_at = coalesce(held_at, now()),
                held_reason = coalesce(held_reason, $3)
         WHERE account = $1 AND name = $2",
        account,
        name,
        reason,
    )
    .execute(pool)
    .await?;
    Ok(done.rows_affected() > 0)
}

/// Ends the hold of a destination. The sweeps of the workers release its held jobs. False without
/// such a destination.
pub async fn resume(pool: &PgPool, account: &str, name: &str) -> Result<bool> {
    let done = sqlx::query!(
        "UPDATE destinations SET held_at = NULL, held_reason = NULL
         WHERE account = $1 AND name = $2",
        account,
        name,
    )
    .execute(pool)
    .await?;
    Ok(done.rows_affected() > 0)
}

/// Gives a destination another name. False without such a destination, or where another one of the
/// account has the name.
pub async fn rename(pool: &PgPool, account: &str, name: &str, to: &str) -> Result<bool> {
    let mut transaction = pool.begin().await?;
    // Two at once would both find the name free.
    sqlx::query!("LOCK TABLE destinations IN SHARE ROW EXCLUSIVE MODE")
        .execute(&mut *transaction)
        .await?;
    let done = sqlx::query!(
        "UPDATE destinations d SET name = $3
         WHERE account = $1 AND name = $2
           AND NOT EXISTS (SELECT FROM destinations other
                           WHERE other.account = $1 AND other.name = $3 AND other.id <> d.id)",
        account,
        name,
        to,
    )
    .execute(&mut *transaction)
    .await?;
    transaction.commit().await?;
    Ok(done.rows_affected() > 0)
}

/// A step of the release, behind a set: see [`Leases::release`](event_engine::port::Leases).
///
/// It looks at the holds as they are, however they ended: a job that was made held while its hold
/// ended is found by a later step. A set costs one probe of its index.
#[expect(clippy::too_many_lines, reason = "one query")]
pub(crate) async fn release(pool: &PgPool, after: Option<HeldSet>) -> Result<Released> {
    let row = sqlx::query!(
        r#"WITH RECURSIVE sets AS (
               (SELECT destination_id, trigger_id, retracts IS NOT NULL AS is_retraction, 1 AS place
                FROM jobs
                WHERE state = 'held'
                  AND (destination_id, trigger_id, (retracts IS NOT NULL)) > ($1, $2, $3)
                ORDER BY destination_id, trigger_id, (retracts IS NOT NULL) LIMIT 1)
               UNION ALL
               SELECT next.destination_id, next.trigger_id, next.is_retraction, sets.place + 1
               FROM sets
               CROSS JOIN LATERAL (
                   SELECT destination_id, trigger_id, retracts IS NOT NULL AS is_retraction
                   FROM jobs
                   WHERE state = 'held'
                     AND (destination_id, trigger_id, (retracts IS NOT NULL))
                         > (sets.destination_id, sets.trigger_id, sets.is_retraction)
                   ORDER BY destination_id, trigger_id, (retracts IS NOT NULL) LIMIT 1
               ) AS next
               WHERE sets.place < $4
           ), asked AS (
               SELECT sets.*, coalesce(t.state = 'removed', false) AND NOT is_retraction
                          AS is_removed,
                      d.held_at IS NULL
                          AND (is_retraction OR t.state IS DISTINCT FROM 'disabled') AS is_free
               FROM sets
               LEFT JOIN destinations d ON d.id = sets.destination_id
               LEFT JOIN triggers t ON t.id = sets.trigger_id
           ), free AS MATERIALIZED (
               SELECT * FROM asked WHERE is_free OR is_removed ORDER BY place LIMIT $5
           ), ended AS MATERIALIZED (
               SELECT job.id, free.is_removed
               FROM free
               CROSS JOIN LATERAL (
                   SELECT id FROM jobs
                   WHERE state = 'held' AND destination_id = free.destination_id
                     AND trigger_id = free.trigger_id
                     AND (retracts IS NOT NULL) = free.is_retraction
                   ORDER BY created_at, id
                   LIMIT $6
                   FOR UPDATE SKIP LOCKED
               ) AS job
           ), moved AS (
               UPDATE jobs SET state = CASE WHEN is_removed THEN 'cancelled' ELSE 'pending' END,
                      reason = CASE WHEN is_removed THEN $7 END,
                      finished_at = CASE WHEN is_removed THEN now() END,
                      due_at = now(), released_at = now(), pushed_at = '-infinity'
               FROM ended
               WHERE jobs.id = ended.id
               RETURNING jobs.id
           )
           SELECT (SELECT count(*) FROM moved) AS "moved!",
                  last.destination_id AS "destination_id?", last.trigger_id AS "trigger_id?",
                  last.is_retraction AS "is_retraction?"
           FROM (SELECT count(*) = $5 AS is_full, max(place) AS place FROM free) AS taken
           LEFT JOIN sets AS last
                ON last.place = CASE WHEN taken.is_full THEN taken.place ELSE $4 END"#,
        after.map_or(Uuid::nil(), |set| set.destination.0),
        after.map_or(Uuid::nil(), |set| set.trigger.0),
        after.is_some_and(|set| set.is_retraction),
        SETS_LOOKED_AT_MAX,
        SETS_RELEASED_MAX,
        RELEASED_OF_SET_MAX,
        reason::TRIGGER_REMOVED,
    )
    .fetch_one(pool)
    .await?;
    let last = row.destination_id.zip(row.trigger_id).zip(row.is_retraction);
    let next = last.map(|((destination, trigger), is_retraction)| HeldSet {
        destination: DestinationId(destination),
        trigger: TriggerId(trigger),
        is_retraction,
    });
    Ok(Released { jobs: u64::try_from(row.moved).unwrap_or_default(), next })
}
