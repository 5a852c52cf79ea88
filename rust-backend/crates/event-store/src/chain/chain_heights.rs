//! The table `chain_heights`: up to which block a chain's nodes call it safe, and below which one
//! no reorganisation is followed.

use event_engine::event::ChainId;
use sqlx::PgPool;

use crate::Result;
use crate::chain::chain_readers::Reader;
use crate::chain::observed_blocks::BlockName;

/// Moves the chain's finalized block up to `number`; never down. Only a block that the reader has
/// observed can become final: the block of `hash` where that is given, else, of our indexer's
/// blocks, which have gaps, the highest one up to `number`. Otherwise nothing changes. No trigger
/// is told of a guess.
pub async fn raise_finalized(
    pool: &PgPool,
    chain_id: ChainId,
    reader: Reader,
    (number, hash): (i64, Option<&str>),
    is_guess: bool,
) -> Result<()> {
    raise(pool, chain_id, reader, "finalized", (number, hash), is_guess).await
}

/// Moves the chain's safe block up to this one; never down. Only a block that the reader has
/// observed can be one; anything else changes nothing.
pub async fn raise_safe(
    pool: &PgPool,
    chain_id: ChainId,
    reader: Reader,
    block: &BlockName,
) -> Result<()> {
    raise(pool, chain_id, reader, "safe", (block.number, Some(&block.hash)), false).await
}

async fn raise(
    pool: &PgPool,
    chain_id: ChainId,
    reader: Reader,
    kind: &str,
    (number, hash): (i64, Option<&str>),
    is_guess: bool,
) -> Result<()> {
    // The answer matters to Ponder's report alone: our readers raise the height again anyway.
    sqlx::query_scalar!(
        "SELECT raise_chain_height($1, $2, $3, $4, $5, $6)",
        chain_id.0,
        reader.as_str(),
        kind,
        number,
        hash,
        is_guess,
    )
    .fetch_one(pool)
    .await?;
    Ok(())
}

/// The chain's finalized block; `None` where it is unknown.
pub async fn finalized(pool: &PgPool, chain_id: ChainId) -> Result<Option<BlockName>> {
    let block = sqlx::query_as!(
        BlockName,
        "SELECT block_number AS number, block_hash AS hash FROM chain_heights
         WHERE chain_id = $1 AND kind = 'finalized'",
        chain_id.0,
    )
    .fetch_optional(pool)
    .await?;
    Ok(block)
}
