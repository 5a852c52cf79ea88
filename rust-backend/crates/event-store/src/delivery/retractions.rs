//! Retractions: jobs that tell the receivers of an event that it is no longer true.

use event_engine::job::JobId;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::Result;
use crate::delivery::jobs::reason;
use crate::delivery::reinclusions;

/// Adds a retraction for each of these jobs that was attempted, has no attempt running, and whose
/// event is invalidated. Its pending attempts are cancelled. Idempotent.
///
/// The caller holds the jobs' rows locked, since before this statement. The end of a lease and the
/// judging of an invalidation both ask here: the later one writes it.
pub(crate) async fn add(connection: &mut PgConnection, jobs: &[Uuid]) -> Result<()> {
    if jobs.is_empty() {
        return Ok(());
    }
    let ids: Vec<Uuid> = jobs.iter().map(|job| JobId::of_retraction(JobId(*job)).0).collect();
    sqlx::query!(
        r#"WITH retracted AS (
               INSERT INTO jobs (id, retracts, trigger_id, trigger_version, action_id,
                                 action_version, chain_id, event_id, event_timestamp,
                                 event_revision, triggers_revision, readings, destination_id,
                                 reorg_old_hash, reorg_new_hash, reorg_fork_block)
               SELECT named.id, j.id, j.trigger_id, j.trigger_version, j.action_id,
                      j.action_version, j.chain_id, j.event_id, j.event_timestamp,
                      j.event_revision, j.triggers_revision, j.readings, j.destination_id,
                      coalesce(earlier.block_hash, e.block_hash),
                      coalesce(o.replaced_by, CASE
                          WHEN comparable_hash(earlier.block_hash) = comparable_hash(e.block_hash)
                              THEN earlier.block_hash
                          WHEN earlier.block_hash IS NOT NULL THEN e.block_hash
                      END),
                      o.fork_block
               FROM unnest($1::uuid[], $2::uuid[]) AS named (id, retracted)
               CROSS JOIN LATERAL (
                   SELECT * FROM jobs
                   WHERE jobs.id = named.retracted AND retracts IS NULL AND attempts > 0
                     AND lease_until IS NULL
                   LIMIT 1
               ) AS j
               CROSS JOIN LATERAL (
                   SELECT block_hash, revision, invalidated FROM events
                   WHERE events.id = j.event_id AND events."timestamp" = j.event_timestamp
                   LIMIT 1
               ) AS e
               LEFT JOIN LATERAL (
                   SELECT block_hash FROM superseded_events r
                   WHERE r.id = j.event_id AND r."timestamp" = j.event_timestamp
                     AND r.revision >= j.event_revision AND r.revision < e.revision
                   ORDER BY r.revision
                   LIMIT 1
               ) AS earlier ON true
               LEFT JOIN orphaned_blocks o
                    ON o.chain_id = j.chain_id
                   AND o.block_hash
                       = comparable_hash(coalesce(earlier.block_hash, e.block_hash))
               WHERE e.invalidated OR e.revision > j.event_revision
               ON CONFLICT (id) DO NOTHING
               RETURNING retracts
           )
           UPDATE jobs SET state = 'cancelled', finished_at = now(), reason = $3
           FROM retracted
           WHERE jobs.id = retracted.retracts AND jobs.state IN ('pending', 'held')"#,
        &ids,
        jobs,
        reason::EVENT_INVALIDATED,
    )
    .execute(&mut *connection)
    .await?;
    reinclusions::link_retractions(connection, &ids).await
}
