//! Table `safe_blocks`: up to which block a chain's nodes call it safe.

use event_engine::event::ChainId;
use sqlx::PgPool;

use crate::Result;

/// Moves the chain's safe block up to `number`; never down. Only a block of `chain_blocks` with
/// that hash can be one; anything else changes nothing.
pub async fn raise(pool: &PgPool, chain_id: ChainId, number: i64, hash: &str) -> Result<()> {
    // The lock: a reorganisation under way either takes the block away first, or sees this.
    sqlx::query!(
        "INSERT INTO safe_blocks (chain_id, block_number)
         SELECT chain_id, block_number FROM chain_blocks
         WHERE chain_id = $1 AND block_number = $2 AND block_hash = $3
         FOR SHARE
         ON CONFLICT (chain_id) DO UPDATE SET
             block_number = EXCLUDED.block_number,
             updated_at = now()
         WHERE safe_blocks.block_number < EXCLUDED.block_number",
        chain_id.0,
        number,
        hash,
    )
    .execute(pool)
    .await?;
    Ok(())
}
