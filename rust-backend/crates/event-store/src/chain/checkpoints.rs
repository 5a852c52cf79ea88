//! The table `checkpoints`: how far each chain has been indexed, as its writer says.

use chrono::{DateTime, Utc};
use event_engine::event::ChainId;
use sqlx::{PgConnection, PgPool};

use crate::Result;
use crate::chain::observed_blocks::BlockName;

/// One row of `checkpoints`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// The chain.
    pub chain_id: ChainId,
    /// The last block that is stored with all its events.
    pub block_number: i64,
    /// The hash of that block, lower-case 0x hex.
    pub block_hash: String,
    /// The time of that block, unix seconds. A writer of another program may leave it out.
    pub block_time: Option<i64>,
    /// When it was set. A writer of another program may leave it out.
    pub updated_at: Option<DateTime<Utc>>,
}

/// Sets the chain's checkpoint to this block, forwards or backwards. Belongs into the transaction
/// that stores the block's events.
pub async fn set(
    connection: &mut PgConnection,
    chain_id: ChainId,
    block: &BlockName,
    block_time: i64,
) -> Result<()> {
    sqlx::query!(
        "SELECT set_checkpoint($1, $2, $3, $4)",
        chain_id.0,
        block.number,
        block.hash,
        block_time,
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// The checkpoints of all chains, by chain.
pub async fn all(pool: &PgPool) -> Result<Vec<Checkpoint>> {
    let rows = sqlx::query!(
        "SELECT chain_id, block_number, block_hash, block_time, updated_at FROM checkpoints
         ORDER BY chain_id",
    )
    .fetch_all(pool)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| Checkpoint {
            chain_id: ChainId(row.chain_id),
            block_number: row.block_number,
            block_hash: row.block_hash,
            block_time: row.block_time,
            updated_at: row.updated_at,
        })
        .collect())
}
