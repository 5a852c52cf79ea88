//! The table `indexed_chains`: of which chains our indexer has stored a block.

use event_engine::event::ChainId;
use sqlx::{PgConnection, PgPool};

use crate::Result;

/// The indexer has begun with the chain. Belongs into the transaction that stores its first block.
pub async fn begin(connection: &mut PgConnection, chain_id: ChainId) -> Result<()> {
    sqlx::query!(
        "INSERT INTO indexed_chains (chain_id) VALUES ($1) ON CONFLICT (chain_id) DO NOTHING",
        chain_id.0,
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Whether it has.
pub async fn has_begun(pool: &PgPool, chain_id: ChainId) -> Result<bool> {
    let has_begun = sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT FROM indexed_chains WHERE chain_id = $1) AS "has_begun!""#,
        chain_id.0,
    )
    .fetch_one(pool)
    .await?;
    Ok(has_begun)
}

/// Forgets that it has, where no block of the chain is stored: that was in an earlier life. Belongs
/// into the transaction that stores the first.
pub async fn forget(connection: &mut PgConnection, chain_id: ChainId) -> Result<()> {
    sqlx::query!("DELETE FROM indexed_chains WHERE chain_id = $1", chain_id.0)
        .execute(connection)
        .await?;
    Ok(())
}
