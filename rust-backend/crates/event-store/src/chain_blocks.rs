//! The table `chain_blocks`: the blocks that our own indexer has stored, by which it resumes.

use event_engine::event::ChainId;
use sqlx::{PgConnection, PgPool};

use crate::Result;

/// A block by its height and hash: of two branches, one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlockName {
    /// Its height.
    pub number: i64,
    /// Its hash, lower-case 0x hex.
    pub hash: String,
}

/// One row of `chain_blocks`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChainBlock {
    /// The chain.
    pub chain_id: ChainId,
    /// Its height.
    pub block_number: i64,
    /// Its hash, lower-case 0x hex.
    pub block_hash: String,
    /// The hash of the block below it, lower-case 0x hex.
    pub parent_hash: String,
    /// Block time, unix seconds.
    pub timestamp: i64,
}

/// The highest stored block of the chain; `None` before the first.
pub async fn latest(pool: &PgPool, chain_id: ChainId) -> Result<Option<BlockName>> {
    Ok(downwards(pool, chain_id, i64::MAX, 1).await?.pop())
}

/// The stored blocks of the chain from height `from` downwards, highest first, `count` at most.
pub async fn downwards(
    pool: &PgPool,
    chain_id: ChainId,
    from: i64,
    count: u32,
) -> Result<Vec<BlockName>> {
    let blocks = sqlx::query_as!(
        BlockName,
        "SELECT block_number AS number, block_hash AS hash FROM chain_blocks
         WHERE chain_id = $1 AND block_number <= $2 ORDER BY block_number DESC LIMIT $3",
        chain_id.0,
        from,
        i64::from(count),
    )
    .fetch_all(pool)
    .await?;
    Ok(blocks)
}

/// Adds a block. A height that is stored already is an error: somebody else indexes the chain, or a
/// commit whose answer was lost went through. The caller reads [`latest`] again.
pub async fn insert(connection: &mut PgConnection, block: &ChainBlock) -> Result<()> {
    sqlx::query!(
        r#"INSERT INTO chain_blocks (chain_id, block_number, block_hash, parent_hash, "timestamp")
           VALUES ($1, $2, $3, $4, $5)"#,
        block.chain_id.0,
        block.block_number,
        block.block_hash,
        block.parent_hash,
        block.timestamp,
    )
    .execute(connection)
    .await?;
    Ok(())
}
