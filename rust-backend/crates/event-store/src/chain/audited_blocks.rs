//! The table `audited_blocks`: the headers by which the auditor follows a chain whose writer it is.

use event_engine::event::ChainId;
use sqlx::{PgConnection, PgPool};

use crate::Result;
use crate::chain::chain_blocks::{BlockName, ChainBlock, Columns};
use crate::chain::reorgs::{Outcome, Reorg};
use crate::chain::{
    audit_cursors, audit_invalidations, audit_suspects, checkpoints, finalized_blocks,
    orphaned_blocks, safe_blocks,
};
use crate::connection::pool::answered_at_length;

/// Rows that are dropped together: below the finalized block the nodes remember them.
const DROPPED_TOGETHER_MAX: i64 = 1_000;

/// The block of the chain that is the highest; `None` before the first.
pub async fn latest(pool: &PgPool, chain_id: ChainId) -> Result<Option<BlockName>> {
    Ok(downwards(pool, chain_id, i64::MAX, 1).await?.pop())
}

/// The blocks of the chain from height `from` downwards, highest first, `count` at most.
pub async fn downwards(
    pool: &PgPool,
    chain_id: ChainId,
    from: i64,
    count: u32,
) -> Result<Vec<BlockName>> {
    let blocks = sqlx::query_as!(
        BlockName,
        "SELECT block_number AS number, block_hash AS hash FROM audited_blocks
         WHERE chain_id = $1 AND block_number <= $2 ORDER BY block_number DESC LIMIT $3",
        chain_id.0,
        from,
        i64::from(count),
    )
    .fetch_all(pool)
    .await?;
    Ok(blocks)
}

/// Puts blocks on top, each the child of the one before, and makes the events valid again that the
/// auditor took back with them. Returns how many; `None` where the highest block is not `below` any
/// more, and nothing was done.
pub async fn append(
    pool: &PgPool,
    chain_id: ChainId,
    below: Option<&BlockName>,
    blocks: &[ChainBlock],
) -> Result<Option<u64>> {
    let mut transaction = pool.begin().await?;
    // A second auditor waits here, and then finds the chain otherwise.
    audit_cursors::hold(&mut transaction, chain_id).await?;
    if !is_tip(&mut transaction, chain_id, below).await? {
        return Ok(None);
    }
    insert(&mut transaction, blocks).await?;
    let hashes: Vec<String> = blocks.iter().map(|block| block.block_hash.clone()).collect();
    audit_suspects::clear(&mut transaction, blocks).await?;
    if let (Some(first), Some(last)) = (blocks.first(), blocks.last()) {
        let heights = first.block_number..=last.block_number;
        audit_suspects::wake(&mut *transaction, chain_id, heights).await?;
    }
    let restored = audit_invalidations::restore(&mut transaction, chain_id, &hashes).await?;
    transaction.commit().await?;
    Ok(Some(restored))
}

/// Takes back every block above the fork with the events that name it, and sets the checkpoint back
/// that stands above, in one transaction.
pub async fn follow(pool: &PgPool, reorg: &Reorg) -> Result<Outcome> {
    // As long as a deep one takes.
    answered_at_length(async {
        let mut transaction = pool.begin().await?;
        audit_cursors::reorganise(&mut transaction, reorg.chain_id).await?;
        if !is_tip(&mut transaction, reorg.chain_id, Some(&reorg.tip)).await? {
            return Ok(Outcome::TipMoved);
        }
        let (chain_id, fork) = (reorg.chain_id, &reorg.fork);
        let blocks = cut_off(&mut transaction, chain_id, fork.number).await?;
        // Once the blocks are gone: until then somebody else could have had one finalized.
        if finalized_blocks::is_replaced(&mut transaction, reorg).await? {
            return Ok(Outcome::BelowFinalized);
        }
        orphaned_blocks::record(&mut transaction, reorg, &blocks).await?;
        let heights = fork.number + 1..=i64::MAX;
        let hashes: Vec<String> = blocks.into_iter().map(|block| block.block_hash).collect();
        let events_invalidated =
            audit_invalidations::invalidate(&mut transaction, chain_id, heights, &hashes).await?;
        checkpoints::cut_off(&mut transaction, chain_id, fork).await?;
        safe_blocks::cut_off(&mut transaction, chain_id, fork).await?;
        transaction.commit().await?;
        Ok(Outcome::Followed { events_invalidated })
    })
    .await
}

/// The block that can be final at this height: with `hash` given, the one that bears it. It stays
/// until the transaction has ended: a reorganisation under way either takes it away first, or sees
/// that it is final.
pub(crate) async fn final_at(
    connection: &mut PgConnection,
    chain_id: ChainId,
    number: i64,
    hash: Option<&str>,
) -> Result<Option<BlockName>> {
    let block = sqlx::query_as!(
        BlockName,
        "SELECT block_number AS number, block_hash AS hash FROM audited_blocks
         WHERE chain_id = $1 AND block_number = $2 AND block_hash = coalesce($3, block_hash)
         FOR SHARE",
        chain_id.0,
        number,
        hash,
    )
    .fetch_optional(connection)
    .await?;
    Ok(block)
}

/// Drops some of the blocks below the finalized one.
pub async fn trim(pool: &PgPool, chain_id: ChainId) -> Result<()> {
    sqlx::query!(
        "DELETE FROM audited_blocks
         WHERE chain_id = $1 AND block_number IN (
             SELECT b.block_number FROM audited_blocks b JOIN finalized_blocks f USING (chain_id)
             WHERE b.chain_id = $1 AND b.block_number < f.block_number
             ORDER BY b.block_number LIMIT $2)",
        chain_id.0,
        DROPPED_TOGETHER_MAX,
    )
    .execute(pool)
    .await?;
    Ok(())
}

/// Sets the chain's checkpoint to this block, if it is audited. One that is audited and higher
/// stays: another auditor was faster. Nor does one of a branch that another is just taking back
/// come behind that in the log.
pub async fn set_checkpoint(pool: &PgPool, chain_id: ChainId, block: &BlockName) -> Result<()> {
    let mut transaction = pool.begin().await?;
    audit_cursors::hold(&mut transaction, chain_id).await?;
    sqlx::query!(
        "INSERT INTO checkpoints (chain_id, block_number, block_hash, updated_at)
         SELECT chain_id, block_number, block_hash, now() FROM audited_blocks
         WHERE chain_id = $1 AND block_number = $2 AND block_hash = $3
         ON CONFLICT (chain_id) DO UPDATE SET
             block_number = EXCLUDED.block_number,
             block_hash = EXCLUDED.block_hash,
             updated_at = EXCLUDED.updated_at
         WHERE checkpoints.block_number < EXCLUDED.block_number OR NOT EXISTS (
             SELECT FROM audited_blocks b
             WHERE b.chain_id = $1 AND b.block_number = checkpoints.block_number
               AND b.block_hash = checkpoints.block_hash)",
        chain_id.0,
        block.number,
        block.hash,
    )
    .execute(&mut *transaction)
    .await?;
    transaction.commit().await?;
    Ok(())
}

/// Whether the chain still ends so. Whoever asks holds the row of the chain's cursor.
async fn is_tip(
    connection: &mut PgConnection,
    chain_id: ChainId,
    tip: Option<&BlockName>,
) -> Result<bool> {
    let found = sqlx::query_as!(
        BlockName,
        "SELECT block_number AS number, block_hash AS hash FROM audited_blocks
         WHERE chain_id = $1 ORDER BY block_number DESC LIMIT 1 FOR UPDATE",
        chain_id.0,
    )
    .fetch_optional(connection)
    .await?;
    Ok(found.as_ref() == tip)
}

async fn insert(connection: &mut PgConnection, blocks: &[ChainBlock]) -> Result<()> {
    let columns = Columns::of(blocks);
    sqlx::query!(
        r#"INSERT INTO audited_blocks (
               chain_id, block_number, block_hash, parent_hash, "timestamp")
           SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::text[], $4::text[], $5::bigint[])"#,
        &columns.chain_ids,
        &columns.numbers,
        &columns.hashes as &[&str],
        &columns.parent_hashes as &[&str],
        &columns.timestamps,
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Takes the blocks above this height out. Returns them.
async fn cut_off(
    connection: &mut PgConnection,
    chain_id: ChainId,
    height: i64,
) -> Result<Vec<ChainBlock>> {
    let rows = sqlx::query!(
        r#"DELETE FROM audited_blocks WHERE chain_id = $1 AND block_number > $2
           RETURNING block_number, block_hash, parent_hash, "timestamp""#,
        chain_id.0,
        height,
    )
    .fetch_all(connection)
    .await?;
    let blocks = rows.into_iter().map(|row| ChainBlock {
        chain_id,
        block_number: row.block_number,
        block_hash: row.block_hash,
        parent_hash: row.parent_hash,
        timestamp: row.timestamp,
    });
    Ok(blocks.collect())
}
