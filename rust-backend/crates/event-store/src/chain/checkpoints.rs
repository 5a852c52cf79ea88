//! The table `checkpoints`: how far each chain has been indexed, as its writer says.

use chrono::{DateTime, Utc};
use event_engine::event::ChainId;
use sqlx::{PgConnection, PgPool};

use crate::Result;

/// One row of `checkpoints`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// The chain.
    pub chain_id: ChainId,
    /// The last block that is stored with all its events.
    pub block_number: i64,
    /// The hash of that block, lower-case 0x hex.
    pub block_hash: String,
    /// When it was set. A writer of another program may leave it out.
    pub updated_at: Option<DateTime<Utc>>,
}

/// Sets the chain's checkpoint, forwards or backwards. Belongs into the transaction that stores the
/// block's events.
pub async fn set(
    connection: &mut PgConnection,
    chain_id: ChainId,
    block_number: i64,
    block_hash: &str,
) -> Result<()> {
    sqlx::query!(
        "INSERT INTO checkpoints (chain_id, block_number, block_hash, updated_at)
         VALUES ($1, $2, $3, now())
         ON CONFLICT (chain_id) DO UPDATE SET
             block_number = EXCLUDED.block_number,
             block_hash = EXCLUDED.block_hash,
             updated_at = EXCLUDED.updated_at",
        chain_id.0,
        block_number,
        block_hash,
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// The checkpoints of all chains, by chain.
pub async fn all(pool: &PgPool) -> Result<Vec<Checkpoint>> {
    let rows = sqlx::query!(
        "SELECT chain_id, block_number, block_hash, updated_at FROM checkpoints ORDER BY chain_id",
    )
    .fetch_all(pool)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| Checkpoint {
            chain_id: ChainId(row.chain_id),
            block_number: row.block_number,
            block_hash: row.block_hash,
            updated_at: row.updated_at,
        })
        .collect())
}
