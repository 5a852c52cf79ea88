//! The table `audit_invalidations`: what the auditor has taken back, so that it can come again.

use event_engine::event::ChainId;
use sqlx::PgConnection;

use crate::Result;
use crate::chain::observed_blocks::BlockName;

/// Takes back the valid events that name this block, and remembers them, as `follow_reorg()` does.
/// Returns how many there were.
pub(crate) async fn invalidate(
    connection: &mut PgConnection,
    chain_id: ChainId,
    block: &BlockName,
) -> Result<u64> {
    let taken = sqlx::query!(
        r#"UPDATE events SET invalidated = true
           WHERE chain_id = $1 AND block_number = $2 AND NOT invalidated
             AND comparable_hash(block_hash) = $3
           RETURNING id, "timestamp", comparable_hash(block_hash) AS "hash!", revision"#,
        chain_id.0,
        block.number,
        block.hash,
    )
    .fetch_all(&mut *connection)
    .await?;
    let ids: Vec<&str> = taken.iter().map(|row| row.id.as_str()).collect();
    let times: Vec<i64> = taken.iter().map(|row| row.timestamp).collect();
    let blocks: Vec<&str> = taken.iter().map(|row| row.hash.as_str()).collect();
    let revisions: Vec<i32> = taken.iter().map(|row| row.revision).collect();
    sqlx::query!(
        "INSERT INTO audit_invalidations (event_id, event_timestamp, chain_id, block_hash, revision)
         SELECT id, time, $1, block_hash, revision
         FROM unnest($2::text[], $3::bigint[], $4::text[], $5::integer[])
              AS taken (id, time, block_hash, revision)
         ON CONFLICT (event_id, event_timestamp) DO UPDATE SET
             block_hash = EXCLUDED.block_hash, revision = EXCLUDED.revision",
        chain_id.0,
        &ids as &[&str],
        &times,
        &blocks as &[&str],
        &revisions,
    )
    .execute(connection)
    .await?;
    Ok(taken.len() as u64)
}

/// Makes the events of these blocks valid again that were taken back here, if nobody has revised
/// them since. Returns how many there were.
pub(crate) async fn restore(
    connection: &mut PgConnection,
    chain_id: ChainId,
    hashes: &[String],
) -> Result<u64> {
    let back = sqlx::query!(
        r#"DELETE FROM audit_invalidations WHERE chain_id = $1 AND block_hash = ANY($2)
           RETURNING event_id, event_timestamp, revision"#,
        chain_id.0,
        hashes,
    )
    .fetch_all(&mut *connection)
    .await?;
    let times: Vec<i64> = back.iter().map(|row| row.event_timestamp).collect();
    let (Some(earliest), Some(latest)) = (times.iter().min(), times.iter().max()) else {
        return Ok(0);
    };
    let ids: Vec<&str> = back.iter().map(|row| row.event_id.as_str()).collect();
    let revisions: Vec<i32> = back.iter().map(|row| row.revision).collect();
    let done = sqlx::query!(
        r#"UPDATE events SET invalidated = false
           FROM unnest($1::text[], $2::bigint[], $3::integer[]) AS back (id, time, revision)
           WHERE events.id = back.id AND events."timestamp" = back.time
             AND events."timestamp" BETWEEN $4 AND $5
             AND events.revision = back.revision AND events.invalidated"#,
        &ids as &[&str],
        &times,
        &revisions,
        earliest,
        latest,
    )
    .execute(connection)
    .await?;
    Ok(done.rows_affected())
}
