//! The table `orphaned_blocks`: blocks that a reorganisation took out, or that stand aside.

use event_engine::event::ChainId;
use sqlx::{PgConnection, PgExecutor, PgPool};

use crate::Result;
use crate::chain::observed_blocks::{BlockColumns, BlockName, ObservedBlock};

/// Remembers a branch aside from the chain, its highest block first, where it is not remembered.
pub(crate) async fn record_aside(
    connection: &mut PgConnection,
    branch: &[ObservedBlock],
    replaced_by: &str,
) -> Result<()> {
    let Some(lowest) = branch.last() else { return Ok(()) };
    let columns = BlockColumns::of(branch);
    sqlx::query!(
        r#"SELECT remember_orphaned(
                      array_agg(ROW(chain, '', number, hash, parent, time, now())::observed_blocks),
                      $7, array_fill($6::text, ARRAY[1], ARRAY[$8::integer]), false)
           FROM unnest($1::bigint[], $2::bigint[], $3::text[], $4::text[], $5::bigint[])
                AS aside (chain, number, hash, parent, time)"#,
        &columns.chain_ids,
        &columns.numbers,
        &columns.hashes as &[&str],
        &columns.parent_hashes as &[&str],
        &columns.timestamps,
        replaced_by,
        lowest.block_number - 1,
        i32::try_from(branch.len()).unwrap_or(i32::MAX),
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// True if it is remembered that the block was on the chain once and was replaced.
pub async fn has(
    connection: impl PgExecutor<'_>,
    chain_id: ChainId,
    block: &BlockName,
) -> Result<bool> {
    let was = sqlx::query_scalar!(
        r#"SELECT EXISTS (
               SELECT FROM orphaned_blocks
               WHERE chain_id = $1 AND block_hash = $2 AND block_number = $3
           ) AS "was!""#,
        chain_id.0,
        block.hash,
        block.number,
    )
    .fetch_one(connection)
    .await?;
    Ok(was)
}

/// The height above which no block of the chain was ever orphaned; `None` without an orphan.
pub async fn highest(pool: &PgPool, chain_id: ChainId) -> Result<Option<i64>> {
    let height = sqlx::query_scalar!(
        "SELECT max(block_number) FROM orphaned_blocks WHERE chain_id = $1",
        chain_id.0,
    )
    .fetch_one(pool)
    .await?;
    Ok(height)
}
