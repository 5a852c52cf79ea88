//! The table `chain_locks`: the lock of each chain.

use event_engine::event::ChainId;
use sqlx::{PgConnection, PgExecutor};

use crate::Result;

/// Holds the chain's lock until the transaction ends. It comes first in a transaction that takes
/// events back by their blocks, gives them back, or sets a height by a reader's blocks: each sees
/// the result of the one before, and its entries of the log stand behind that one's.
pub async fn hold(connection: &mut PgConnection, chain_id: ChainId) -> Result<()> {
    sqlx::query!("SELECT lock_chain($1)", chain_id.0).execute(connection).await?;
    Ok(())
}

/// The number of times that the chain was reset. A transaction that stores blocks of before holds
/// the lock and asks again.
pub async fn resets(executor: impl PgExecutor<'_>, chain_id: ChainId) -> Result<i64> {
    let resets =
        sqlx::query_scalar!("SELECT resets FROM chain_locks WHERE chain_id = $1", chain_id.0)
            .fetch_optional(executor)
            .await?;
    Ok(resets.unwrap_or_default())
}

/// Counts a reset. The auditor compares its next arrivals again, as after a reorganisation.
pub(crate) async fn count_reset(connection: &mut PgConnection, chain_id: ChainId) -> Result<()> {
    sqlx::query!(
        "UPDATE chain_locks SET resets = resets + 1, reorgs = reorgs + 1 WHERE chain_id = $1",
        chain_id.0,
    )
    .execute(connection)
    .await?;
    Ok(())
}
