//! The table `finalized_blocks`: below which block no reorganisation of a chain is followed.

use event_engine::event::ChainId;
use sqlx::{PgConnection, PgPool};

use crate::Result;
use crate::chain::observed_blocks::{self, BlockName, Reader};
use crate::chain::reorgs::Reorg;

/// Moves the chain's finalized block up to `number`; never down. Only a block that is known to be
/// on the chain can be one: with `hash` given, the one that bears it. Of our indexer's, which have
/// gaps, without a hash the highest up to `number`. Anything else changes nothing. A guess is told
/// no trigger.
pub async fn raise(
    pool: &PgPool,
    chain_id: ChainId,
    reader: Reader,
    (number, hash): (i64, Option<&str>),
    is_guess: bool,
) -> Result<()> {
    let mut transaction = pool.begin().await?;
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

/// Whether a block above the fork of this reorganisation is final, and not of its new branch.
pub(crate) async fn is_replaced(connection: &mut PgConnection, reorg: &Reorg) -> Result<bool> {
    let is_replaced = sqlx::query_scalar!(
        r#"SELECT EXISTS (
               SELECT FROM finalized_blocks
               WHERE chain_id = $1 AND block_number > $2
                 AND ($3::text[])[(block_number - $2)::integer] IS DISTINCT FROM block_hash
           ) AS "is_replaced!""#,
        reorg.chain_id.0,
        reorg.fork.number,
        &reorg.branch,
    )
    .fetch_one(connection)
    .await?;
    Ok(is_replaced)
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
