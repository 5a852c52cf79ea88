//! Table `invalidated_events`: events that were judged and then invalidated, until their
//! transaction comes back.

use event_engine::decide::Supersession;
use sqlx::PgConnection;

use crate::Result;
use crate::delivery::jobs::columns_of;

/// Notes the events that a batch invalidates, in order, if they were valid until then; and forgets
/// rows that are a week old, a little of each of the batch's shards.
pub(crate) async fn add(
    connection: &mut PgConnection,
    shards: &[i64],
    supersessions: &[&Supersession],
) -> Result<()> {
    forget(connection, shards).await?;
    let (ids, times, below) = columns_of(supersessions);
    let taken_back: Vec<bool> = supersessions.iter().map(|gone| gone.is_invalidated).collect();
    let (earliest, latest) = (times.iter().min().copied(), times.iter().max().copied());
    sqlx::query!(
        r#"INSERT INTO invalidated_events (chain_id, transaction_hash, registry, event_type,
                                          log_index, event_id, event_timestamp, revision,
                                          block_number, block_hash, is_replaced)
           SELECT was.chain_id, was.transaction_hash, was.registry, was.event_type, was.log_index,
                  gone.id, gone."timestamp", gone.below - 1, was.block_number, was.block_hash,
                  was.replaced_at IS NOT NULL
           FROM unnest($1::text[], $2::bigint[], $3::integer[], $4::boolean[])
                WITH ORDINALITY AS gone (id, "timestamp", below, is_invalidated, place)
           CROSS JOIN LATERAL (
               (SELECT chain_id, transaction_hash, registry, event_type, log_index, block_number,
                       block_hash, invalidated, revision AS replaced_at, is_corrected
                FROM superseded_events r
                WHERE r.id = gone.id AND r."timestamp" = gone."timestamp"
                  AND r.revision >= gone.below - 1
                ORDER BY r.revision
                LIMIT 1)
               UNION ALL
               (SELECT chain_id, transaction_hash, registry, event_type, log_index, block_number,
                       block_hash, invalidated, NULL, false
                FROM events e
                WHERE e.id = gone.id AND e."timestamp" = gone."timestamp"
                  AND e."timestamp" BETWEEN $5 AND $6)
               LIMIT 1
           ) AS was
           -- An event that is true now was not before, unless another block took its name over.
           -- What was corrected was no other inclusion.
           WHERE (gone.is_invalidated OR was.replaced_at = gone.below - 1 AND NOT was.invalidated
                                        AND NOT was.is_corrected)
             AND octet_length(was.transaction_hash) <= 100 AND octet_length(was.block_hash) <= 100
           ORDER BY gone.place
           -- An earlier life of the name, where the event was deleted and came again.
           ON CONFLICT (event_id, event_timestamp, revision) DO UPDATE
           SET (seq, transaction_hash, registry, event_type, log_index, block_number, block_hash,
                is_replaced, invalidated_at)
               = (DEFAULT, EXCLUDED.transaction_hash, EXCLUDED.registry, EXCLUDED.event_type,
                  EXCLUDED.log_index, EXCLUDED.block_number, EXCLUDED.block_hash,
                  EXCLUDED.is_replaced, now())"#,
        &ids as &[&str],
        &times,
        &below,
        &taken_back,
        earliest,
        latest,
    )
    .execute(connection)
    .await?;
    Ok(())
}

async fn forget(connection: &mut PgConnection, shards: &[i64]) -> Result<()> {
    sqlx::query!(
        "DELETE FROM invalidated_events
         WHERE (chain_id, seq) IN (
             SELECT own.chain_id, lowest.seq
             FROM unnest($1::bigint[]) AS own (chain_id)
             CROSS JOIN LATERAL (
                 SELECT seq, invalidated_at FROM invalidated_events t
                 WHERE t.chain_id = own.chain_id
                 ORDER BY seq
                 LIMIT 1000
             ) AS lowest
             WHERE lowest.invalidated_at < now() - interval '7 days')",
        shards,
    )
    .execute(connection)
    .await?;
    Ok(())
}
