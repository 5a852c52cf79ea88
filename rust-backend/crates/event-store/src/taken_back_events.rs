//! Table `taken_back_events`: what is true no more, until its transaction comes back.

use event_engine::event::EventName;
use sqlx::PgConnection;

use crate::Result;
use crate::jobs::withdrawn;

/// Notes what a batch takes back, where it was true until then; and forgets what is a week old.
pub(crate) async fn add(
    connection: &mut PgConnection,
    withdrawals: &[&(EventName, i32)],
) -> Result<()> {
    let (ids, times, below) = withdrawn(withdrawals);
    sqlx::query!(
        r#"WITH forgotten AS (
               DELETE FROM taken_back_events
               WHERE seq = ANY(ARRAY(
                   SELECT seq FROM taken_back_events
                   WHERE taken_back_at < now() - interval '7 days'
                   ORDER BY seq
                   LIMIT 1000))
           )
           INSERT INTO taken_back_events (chain_id, transaction_hash, registry, event_type, ordinal,
                                          event_id, event_timestamp, revision, block_number,
                                          block_hash)
           SELECT was.chain_id, was.transaction_hash, was.registry, was.event_type, was.ordinal,
                  gone.id, gone."timestamp", gone.below - 1, was.block_number, was.block_hash
           -- Where it comes to be true again, it is the same that is noted already.
           FROM (SELECT id, "timestamp", max(below) AS below
                 FROM unnest($1::text[], $2::bigint[], $3::integer[])
                      AS w (id, "timestamp", below)
                 WHERE NOT EXISTS (
                     SELECT FROM event_log l
                     WHERE l.event_id = w.id AND l.event_timestamp = w."timestamp"
                       AND l.revision = w.below - 1 AND l.revision > 0 AND l.invalidated)
                 GROUP BY id, "timestamp") AS gone
           CROSS JOIN LATERAL (
               (SELECT chain_id, transaction_hash, registry, event_type, NULL::bigint AS ordinal,
                       block_number, block_hash
                FROM replaced_events r
                WHERE r.id = gone.id AND r."timestamp" = gone."timestamp"
                  AND r.revision >= gone.below - 1
                ORDER BY r.revision
                LIMIT 1)
               UNION ALL
               (SELECT chain_id, transaction_hash, registry, event_type,
                       ordinal_in_transaction(e), block_number, block_hash
                FROM events e
                WHERE e.id = gone.id AND e."timestamp" = gone."timestamp")
               LIMIT 1
           ) AS was
           ON CONFLICT (event_id, event_timestamp, block_hash) DO UPDATE
           SET seq = DEFAULT, revision = EXCLUDED.revision, taken_back_at = now()"#,
        &ids as &[&str],
        &times,
        &below,
    )
    .execute(connection)
    .await?;
    Ok(())
}
