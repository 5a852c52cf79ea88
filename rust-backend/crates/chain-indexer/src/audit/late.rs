//! Rows that came after their block was read whole: what claims to be one of its logs and is none
//! is taken back.

use event_store::chain::audit_suspects;
use event_store::chain::observed_blocks::BlockName;
use event_store::events::forgeries::{self, ReadBlocks};
use event_store::events::new_events::NewEvent;

use super::context::AuditContext;
use super::measures;
use crate::fetch::one_block::fetch;
use crate::settings::RegistryAddresses as _;
use crate::{IndexerError, Result};

/// Compares the names of a block's rows with its logs, and takes back what is none of them. False
/// where the node is not there, or on another branch.
pub(super) async fn compare(
    chain: &AuditContext,
    block: &BlockName,
    tip: &BlockName,
) -> Result<bool> {
    let (number, head) = (block.number.unsigned_abs(), tip.number.unsigned_abs());
    let fetched = fetch(&chain.nodes, &chain.settings, number, head).await?;
    let Some(fetched) = fetched.filter(|fetched| fetched.row.block_hash == block.hash) else {
        return Ok(false);
    };
    take_back(chain, block, &fetched.events).await?;
    let acquitted = audit_suspects::acquit(&chain.pool, chain.settings.id, block);
    chain.asked(acquitted).await?;
    Ok(true)
}

/// No block of that hash has that height: nothing that claims to be a log of it is one.
pub(super) async fn misplaced(chain: &AuditContext, block: &BlockName) -> Result<()> {
    take_back(chain, block, &[]).await
}

async fn take_back(chain: &AuditContext, block: &BlockName, logs: &[NewEvent]) -> Result<()> {
    let (id, claims) = (chain.settings.id, chain.settings.registries.claims());
    let heights = block.number..=block.number;
    let (times, hashes) = (0..=i64::MAX, &[block.hash.as_str()]);
    let read = ReadBlocks { chain_id: id, heights, times, hashes, logs, claims: &claims };
    let taken = forgeries::take_back_late(&chain.pool, block, &read).await;
    let name = chain.settings.name.as_str();
    let events = taken.map_err(|source| IndexerError::Store { chain: name.to_owned(), source })?;
    if events > 0 {
        let (block, hash) = (block.number, block.hash.as_str());
        tracing::warn!(chain = name, block, hash, events, "Rows that are no logs are taken back");
        measures::taken_back(id, events);
    }
    Ok(())
}
