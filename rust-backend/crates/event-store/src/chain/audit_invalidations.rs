//! The table `audit_invalidations`: events that the auditor invalidated, and may give back.

use event_engine::event::ChainId;
use sqlx::PgConnection;

use crate::Result;
use crate::chain::observed_blocks::BlockName;

/// Invalidates the valid events of this block, and remembers them, as `follow_reorg()` does.
/// Returns their number.
pub(crate) async fn invalidate(
    connection: &mut PgConnection,
    chain_id: ChainId,
    block: &BlockName,
) -> Result<u64> {
    let events = sqlx::query_scalar!(
        r#"SELECT invalidate_blocks($1, $2, $2, ARRAY[$3::text], true) AS "events!""#,
        chain_id.0,
        block.number,
        block.hash,
    )
    .fetch_one(connection)
    .await?;
    Ok(events.unsigned_abs())
}

/// Makes the events of these blocks valid again that the auditor invalidated, unless they were
/// revised since. Returns their number.
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
