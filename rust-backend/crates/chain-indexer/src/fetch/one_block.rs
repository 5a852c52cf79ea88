//! One block from the node: its header by number, then its logs by its hash, so that the logs
//! always belong to the header, whatever the chain does in between.

use alloy_primitives::Address;

use crate::fetch::block::{Block, block};
use crate::fetch::gather;
use crate::rpc::answer::{NodeHeader, NodeLog};
use crate::rpc::call::Answer;
use crate::rpc::node::Node;
use crate::rpc::nodes::{LAG_BLOCKS_MAX, Nodes};
use crate::settings::RegistryAddresses as _;
use crate::{ChainSettings, Result};

/// Times that the logs of a block are asked for whose bloom filter claims some, where nothing else
/// says that it has none: some seconds, as the waits between failures grow.
const DOUBTS_MAX: u32 = 5;

/// Belief in the bloom filter of a block.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Filter {
    /// A block that its filter excludes is not asked for logs, as long as no filter was wrong.
    Believed,
    /// Every block is asked for its logs.
    Ignored,
}

/// Fetches block `number`. `None` where the node does not have it yet, although another behind the
/// same URL has said that the head is at `head`.
pub(crate) async fn fetch(
    nodes: &Nodes,
    settings: &ChainSettings,
    number: u64,
    head: u64,
    filter: Filter,
) -> Result<Option<Block>> {
    let node = nodes.current();
    let Some(header) = node.header(number).await? else {
        if head.saturating_sub(number) < LAG_BLOCKS_MAX {
            return Ok(None);
        }
        let problem = format!("it does not have block {number}, which is far below its head");
        return Err(node.distrust(&problem));
    };
    complete(node, settings, number, &header, filter).await.map(Some)
}

/// Adds the logs to a header that was asked for by `number`, or announced.
pub(crate) async fn complete(
    node: Node<'_>,
    settings: &ChainSettings,
    number: u64,
    header: &NodeHeader,
    filter: Filter,
) -> Result<Block> {
    let addresses = settings.registries.addresses();
    let is_believed = filter == Filter::Believed && node.nodes().believes_filters();
    let mut logs = Vec::new();
    if !is_believed || header.may_have_logs_of(&addresses) {
        let gathered = gather::logs(node, settings, header, &addresses).await?;
        logs = gathered.logs;
        if !gathered.is_complete {
            let left_out = left_out(node, header, &addresses, logs.iter()).await?;
            logs.extend(left_out);
        }
    }
    block(settings, number, header, &logs).map_err(|problem| node.distrust(&problem))
}

/// The logs that a node left out of its answer: its bloom filter claims some of an address, and
/// neither chance nor other ways of asking explain that there are none. Beside logs that it gave,
/// only a sparse filter is worth a question.
pub(crate) async fn left_out<'l>(
    node: Node<'_>,
    header: &NodeHeader,
    addresses: &[Address],
    given: impl Iterator<Item = &'l NodeLog>,
) -> Result<Vec<NodeLog>> {
    let given: Vec<Address> = given.map(|log| log.address).collect();
    let silent: Vec<Address> =
        addresses.iter().copied().filter(|address| !given.contains(address)).collect();
    let is_worth_it = given.is_empty() || header.is_sparse();
    if !node.nodes().believes_filters() || !is_worth_it || !header.claims_logs_of(&silent) {
        return Ok(Vec::new());
    }
    let of_silent = |logs: Vec<NodeLog>| -> Vec<NodeLog> {
        logs.into_iter().filter(|log| silent.contains(&log.address)).collect()
    };
    let all = if header.is_telling() { node.all_logs(header).await? } else { None };
    let Some(all) = all else {
        // A full filter claims everything: asked again, elsewhere if there is an elsewhere.
        let other = node.another().unwrap_or(node);
        return match gather::by_way(other, other.logs_ways().first(), header, &silent).await {
            Ok(Answer::Given(gathered)) => Ok(gathered.logs),
            Err(error) if error.stops_the_chain() => Err(error),
            // The other one does not know; its failure was noted.
            Ok(Answer::Refused(_)) | Err(_) => Ok(Vec::new()),
        };
    };
    let is_chance = header.is_made_of(&all);
    let left_out = of_silent(all);
    if is_chance || !left_out.is_empty() {
        return Ok(left_out);
    }
    // Some nodes index logs later than blocks; receipts are there with the block.
    match gather::by_receipts(node, header, &silent).await {
        Ok(Answer::Given(gathered)) if !gathered.logs.is_empty() => return Ok(gathered.logs),
        Ok(Answer::Given(_)) => {}
        Err(error) if error.stops_the_chain() => return Err(error),
        _ if node.nodes().doubts(header.hash) < DOUBTS_MAX => {
            let block = header.number;
            return Err(node.distrust(&format!("it leaves out the logs of block {block}")));
        }
        _ => {}
    }
    node.nodes().distrust_filters(header.number.to());
    Ok(Vec::new())
}
