//! The tables `safe_blocks` and `finalized_blocks`: up to which block a chain's nodes call it safe,
//! and below which one no reorganisation is followed.

use event_engine::event::ChainId;
use sqlx::PgPool;

use crate::Result;
use crate::chain::chain_locks;
use crate::chain::chain_readers::Reader;
use crate::chain::observed_blocks::{self, BlockName};

/// Moves the chain's finalized block up to `number`; never down. Only a block that is known to be
/// on the chain can be one: with `hash` given, the one that bears it. Of our indexer's, which have
/// gaps, without a hash the highest up to `number`. Anything else changes nothing. A guess is told
/// no trigger.
pub async fn raise_finalized(
    pool: &PgPool,
    chain_id: ChainId,
    reader: Reader,
    (number, hash): (i64, Option<&str>),
    is_guess: bool,
) -> Result<()> {
    let mut transaction = pool.begin().await?;
    chain_locks::hold(&mut transaction, chain_id).await?;
    let found = observed_blocks::final_at(&mut transaction, chain_id, reader, number, hash).await?;
    let Some(block) = found else { return Ok(()) };
    sqlx::query!(
        "INSERT INTO finalized_blocks (chain_id, block_number, block_hash, is_guess)
         VALUES ($1, $2, $3, $4)
         ON CONFLICT (chain_id) DO UPDATE SET
             block_number = EXCLUDED.block_number,
             block_hash = EXCLUDED.block_hash,
             is_guess = EXCLUDED.is_guess,
             updated_at = now()
         WHERE finalized_blocks.block_number < EXCLUDED.block_number",
        chain_id.0,
        block.number,
        block.hash,
        is_guess,
    )
    .execute(&mut *transaction)
    .await?;
    transaction.commit().await?;
    Ok(())
}

/// Height of the chain's finalized block; `None` where none is known.
pub async fn finalized_height(pool: &PgPool, chain_id: ChainId) -> Result<Option<i64>> {
    Ok(finalized(pool, chain_id).await?.map(|block| block.number))
}

/// The chain's finalized block; `None` where none is known.
pub async fn finalized(pool: &PgPool, chain_id: ChainId) -> Result<Option<BlockName>> {
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

/// Moves the chain's safe block up to this one; never down. Only a block that the reader has
/// observed can be one; anything else changes nothing. A reorganisation under way is waited for, so
/// that no block of it comes behind it in the log.
pub async fn raise_safe(
    pool: &PgPool,
    chain_id: ChainId,
    reader: Reader,
    block: &BlockName,
) -> Result<()> {
    let mut transaction = pool.begin().await?;
    chain_locks::hold(&mut transaction, chain_id).await?;
    sqlx::query!(
        "INSERT INTO safe_blocks (chain_id, block_number)
         SELECT $1, $2
         WHERE EXISTS (SELECT FROM observed_blocks
                       WHERE chain_id = $1 AND reader = $4 AND block_number = $2
                         AND block_hash = $3)
         ON CONFLICT (chain_id) DO UPDATE SET
             block_number = EXCLUDED.block_number,
             updated_at = now()
         WHERE safe_blocks.block_number < EXCLUDED.block_number",
        chain_id.0,
        block.number,
        block.hash,
        reader.as_str(),
    )
    .execute(&mut *transaction)
    .await?;
    transaction.commit().await?;
    Ok(())
}
