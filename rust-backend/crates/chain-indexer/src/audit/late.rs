//! Rows that came after their block was read whole: a row that claims to be one of the block's logs
//! and is not is invalidated.

use event_store::chain::audit_suspects;
use event_store::chain::observed_blocks::BlockName;
use event_store::events::forgeries::{self, ReadBlocks};
use event_store::events::new_events::NewEvent;

use super::context::AuditContext;
use super::measures;
use crate::Result;
use crate::fetch::one_block::{Filter, fetch};

/// Compares the names of a block's rows with its logs, and invalidates the others. False if the
/// node does not have the block, or is on another branch.
pub(super) async fn compare(
    chain: &AuditContext,
    block: &BlockName,
    tip: &BlockName,
) -> Result<bool> {
    let (number, head) = (block.number.unsigned_abs(), tip.number.unsigned_abs());
    let (nodes, settings) = (&chain.nodes, &chain.settings);
    let fetched = fetch(nodes, settings, number, head, Filter::Ignored).await?;
    let Some(fetched) = fetched.filter(|fetched| fetched.row.block_hash == block.hash) else {
        return Ok(false);
    };
    invalidate_others(chain, block, &fetched.events).await?;
    let store = &chain.store;
    store.asked(audit_suspects::acquit(&store.pool, store.id, block)).await?;
    Ok(true)
}

/// Invalidates the rows that claim to be logs of this block and are not among `logs`.
pub(super) async fn invalidate_others(
    chain: &AuditContext,
    block: &BlockName,
    logs: &[NewEvent],
) -> Result<()> {
    let store = &chain.store;
    let (chain_id, claims) = (store.id, &store.claims);
    let heights = block.number..=block.number;
    let (times, hashes) = (0..=i64::MAX, &[block.hash.as_str()]);
    let read = ReadBlocks { chain_id, heights, times, hashes, logs, claims };
    let events = store.named(forgeries::take_back_late(&store.pool, block, &read).await)?;
    if events > 0 {
        let (chain, block, hash) = (store.name.as_str(), block.number, block.hash.as_str());
        tracing::warn!(chain, block, hash, events, "Rows that are no logs are invalidated");
        measures::add(measures::INVALIDATED, chain_id, events);
    }
    Ok(())
}
