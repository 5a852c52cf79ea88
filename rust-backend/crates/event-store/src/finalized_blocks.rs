//! The table `finalized_blocks`: below which block no reorganisation of a chain is followed.

use event_engine::event::ChainId;
use sqlx::PgPool;

use crate::Result;
use crate::chain_blocks::BlockName;

/// Moves the chain's finalized block up to `number`; never down. Only a block of `chain_blocks`
/// can be one: with `hash` given, the one that bears it, else the highest up to `number`, if the
/// stored chain is that high. Anything else changes nothing. A guess is told no trigger.
pub async fn raise(
    pool: &PgPool,
    chain_id: ChainId,
    number: i64,
    hash: Option<&str>,
    is_guess: bool,
) -> Result<()> {
    // The lock: a reorganisation under way either takes the block away first, or sees this.
    sqlx::query!(
        "INSERT INTO finalized_blocks (chain_id, block_number, block_hash, is_guess)
         SELECT chain_id, block_number, block_hash, $4 FROM chain_blocks
         WHERE chain_id = $1 AND block_number <= $2
           AND ($3::text IS NULL OR (block_number = $2 AND block_hash = $3))
           AND EXISTS (SELECT FROM chain_blocks WHERE chain_id = $1 AND block_number >= $2)
         ORDER BY block_number DESC LIMIT 1
         FOR SHARE
         ON CONFLICT (chain_id) DO UPDATE SET
             block_number = EXCLUDED.block_number,
             block_hash = EXCLUDED.block_hash,
             is_guess = EXCLUDED.is_guess,
             updated_at = now()
         WHERE finalized_blocks.block_number < EXCLUDED.block_number",
        chain_id.0,
        number,
        hash,
        is_guess,
    )
    .execute(pool)
    .await?;
    Ok(())
}

/// Height of the chain's finalized block; `None` where none is known.
pub async fn height(pool: &PgPool, chain_id: ChainId) -> Result<Option<i64>> {
    Ok(block(pool, chain_id).await?.map(|block| block.number))
}

/// The chain's finalized block; `None` where none is known.
pub async fn block(pool: &PgPool, chain_id: ChainId) -> Result<Option<BlockName>> {
    let block = sqlx::query_as!(
        BlockName,
        "SELECT block_number AS number, block_hash AS hash FROM finalized_blocks
         WHERE chain_id = $1",
        chain_id.0,
    )
    .fetch_optional(pool)
    .await?;
    Ok(block)
}
