//! The auditor's branch, where it is the chain's writer: putting blocks on top, and the checkpoint.

use event_engine::event::ChainId;
use sqlx::PgPool;

use crate::Result;
use crate::chain::chain_readers::Reader;
use crate::chain::observed_blocks::{self, BlockName, ObservedBlock};
use crate::chain::{audit_invalidations, audit_suspects, chain_locks};

/// Puts blocks on top, each the child of the one before, and gives the events back that the auditor
/// invalidated with them. Returns their number; `None` where the highest block is not `below` any
/// more, and nothing was done.
pub async fn append(
    pool: &PgPool,
    chain_id: ChainId,
    below: Option<&BlockName>,
    blocks: &[ObservedBlock],
) -> Result<Option<u64>> {
    let mut transaction = pool.begin().await?;
    // A second auditor waits here, and then finds the chain otherwise.
    chain_locks::hold(&mut transaction, chain_id).await?;
    let tip = observed_blocks::latest(&mut *transaction, chain_id, Reader::Auditor).await?;
    if tip.as_ref() != below {
        return Ok(None);
    }
    observed_blocks::insert(&mut transaction, Reader::Auditor, below, blocks).await?;
    let hashes: Vec<String> = blocks.iter().map(|block| block.block_hash.clone()).collect();
    audit_suspects::clear(&mut transaction, blocks).await?;
    if let (Some(first), Some(last)) = (blocks.first(), blocks.last()) {
        let heights = first.block_number..=last.block_number;
        audit_suspects::wake(&mut *transaction, chain_id, heights).await?;
    }
    let restored = audit_invalidations::restore(&mut transaction, chain_id, &hashes).await?;
    transaction.commit().await?;
    Ok(Some(restored))
}

/// Sets the chain's checkpoint to this block, if it is audited. A higher audited checkpoint stays:
/// another auditor was faster. The chain's lock keeps the checkpoint of a branch that is being
/// taken back from being logged behind the reorganisation.
pub async fn set_checkpoint(pool: &PgPool, chain_id: ChainId, block: &BlockName) -> Result<()> {
    let mut transaction = pool.begin().await?;
    chain_locks::hold(&mut transaction, chain_id).await?;
    sqlx::query!(
        r#"SELECT set_checkpoint(chain_id, block_number, block_hash, "timestamp")
           FROM observed_blocks
           WHERE chain_id = $1 AND reader = 'auditor' AND block_number = $2 AND block_hash = $3
             AND NOT EXISTS (
                 SELECT FROM checkpoints c JOIN observed_blocks b
                      USING (chain_id, block_number, block_hash)
                 WHERE c.chain_id = $1 AND b.reader = 'auditor' AND c.block_number >= $2)"#,
        chain_id.0,
        block.number,
        block.hash,
    )
    .execute(&mut *transaction)
    .await?;
    transaction.commit().await?;
    Ok(())
}
