//! Table `safe_blocks`: up to which block a chain's nodes call it safe.

use event_engine::event::ChainId;
use sqlx::{PgConnection, PgPool};

use crate::Result;
use crate::chain::audit_cursors;
use crate::chain::observed_blocks::{BlockName, Reader};

/// Moves the chain's safe block up to this one; never down. Only a block that the reader has
/// observed can be one; anything else changes nothing. A reorganisation under way is waited for, so
/// that no block of it comes behind it in the log.
pub async fn raise(
    pool: &PgPool,
    chain_id: ChainId,
    reader: Reader,
    block: &BlockName,
) -> Result<()> {
    let mut transaction = pool.begin().await?;
    audit_cursors::hold(&mut transaction, chain_id).await?;
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

/// Sets it back to the fork of a reorganisation, where it stood above: what was safe is not always
/// final.
pub(crate) async fn cut_off(
    connection: &mut PgConnection,
    chain_id: ChainId,
    fork: &BlockName,
) -> Result<()> {
    sqlx::query!(
        "UPDATE safe_blocks SET block_number = $2, updated_at = now()
         WHERE chain_id = $1 AND block_number > $2",
        chain_id.0,
        fork.number,
    )
    .execute(connection)
    .await?;
    Ok(())
}
