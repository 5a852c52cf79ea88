//! One block from the node: its header by number, then its logs by its hash, so that the logs
//! always belong to the header, whatever the chain does in between.

use alloy_primitives::Address;

use crate::fetch::block::{Block, block};
use crate::fetch::gather;
use crate::rpc::answer::{NodeHeader, NodeLog};
use crate::rpc::node::{Node, Nodes};
use crate::settings::RegistryAddresses as _;
use crate::{ChainSettings, Result};

/// Behind one URL there may be many nodes, of which some are this many blocks behind the others. A
/// block that is missing further below the head was pruned, or never synchronised.
const LAG_BLOCKS_MAX: u64 = 16;

/// Fetches block `number`. `None` where the node does not have it yet, although another behind the
/// same URL has said that the head is at `head`.
pub(crate) async fn fetch(
    nodes: &Nodes,
    settings: &ChainSettings,
    number: u64,
    head: u64,
) -> Result<Option<Block>> {
    let node = nodes.current();
    let Some(header) = node.header(number).await? else {
        if head.saturating_sub(number) < LAG_BLOCKS_MAX {
            return Ok(None);
        }
        let problem = format!("it does not have block {number}, and its head is at {head}");
        return Err(node.distrust(&problem));
    };
    complete(node, settings, number, &header).await.map(Some)
}

/// Adds the logs to a header that was asked for by `number`, or announced.
pub(crate) async fn complete(
    node: Node<'_>,
    settings: &ChainSettings,
    number: u64,
    header: &NodeHeader,
) -> Result<Block> {
    let addresses = settings.registries.addresses();
    let mut logs = Vec::new();
    if header.may_have_logs_of(&addresses) {
        logs = gather::logs(node, settings, header.hash, &addresses).await?;
        if may_leave_out(node, header, &addresses, logs.iter()).await? {
            let problem = format!("it leaves out the logs of block {number}");
            return Err(node.distrust(&problem));
        }
    }
    block(settings, number, header, &logs).map_err(|problem| node.distrust(&problem))
}

/// Whether a node that gave these logs of a block may have left out all of some address: its bloom
/// filter claims one, and neither all logs of the block nor another answer explain that as chance.
/// Beside logs that it gave, only a sparse filter is worth a question.
pub(crate) async fn may_leave_out<'l>(
    node: Node<'_>,
    header: &NodeHeader,
    addresses: &[Address],
    given: impl Iterator<Item = &'l NodeLog>,
) -> Result<bool> {
    let given: Vec<Address> = given.map(|log| log.address).collect();
    let silent: Vec<Address> =
        addresses.iter().copied().filter(|address| !given.contains(address)).collect();
    let is_worth_it = given.is_empty() || header.is_sparse();
    if !is_worth_it || !header.claims_logs_of(&silent) {
        return Ok(false);
    }
    if header.is_telling()
        && let Some(all) = node.all_logs(header.hash).await?
    {
        let ours = |log: &NodeLog| silent.contains(&log.address);
        return Ok(!header.is_made_of(&all) || all.iter().any(ours));
    }
    // A full filter claims everything: asked again, elsewhere if there is an elsewhere.
    let other = node.another().unwrap_or(node);
    match other.logs(header.hash, &silent).await {
        Ok(logs) => Ok(!logs.is_empty()),
        // The other one does not know; its failure was noted.
        Err(error) if error.stops_the_chain() => Err(error),
        Err(_) => Ok(false),
    }
}
