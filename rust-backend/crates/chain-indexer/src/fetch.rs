//! One block from the node: its header by number, then its logs by its hash, so that the logs
//! always belong to the header, whatever the chain does in between.

use crate::block::{Block, block};
use crate::node::Nodes;
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
    let addresses = settings.registries.addresses();
    let logs = if header.may_have_logs_of(&addresses) {
        node.logs(header.hash, &addresses).await?
    } else {
        Vec::new()
    };
    let fetched = block(settings, number, &header, &logs);
    fetched.map(Some).map_err(|problem| node.distrust(&problem))
}
