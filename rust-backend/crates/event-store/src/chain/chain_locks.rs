//! The table `chain_locks`: the lock of each chain.

use event_engine::event::ChainId;
use sqlx::PgConnection;

use crate::Result;

/// Holds the chain's lock until the transaction ends. It comes first in a transaction that takes
/// events back by their blocks, gives them back, or sets a height by a reader's blocks: each sees
/// the result of the one before, and its entries of the log stand behind that one's.
pub(crate) async fn hold(connection: &mut PgConnection, chain_id: ChainId) -> Result<()> {
    sqlx::query!("SELECT lock_chain($1)", chain_id.0).execute(connection).await?;
    Ok(())
}
