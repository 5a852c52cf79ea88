//! Asking a chain's nodes before it is indexed.

use event_engine::event::ChainId;

use crate::rpc::node::Node;
use crate::rpc::nodes::Nodes;
use crate::{ChainSettings, IndexerError, Result};

/// The answers of a chain's nodes.
#[derive(Debug)]
pub struct NodeReport {
    /// The operator's name for the chain.
    pub chain: String,
    /// The chain id that each node which answered confirmed.
    pub chain_id: ChainId,
    /// The highest block that one of them has.
    pub head: u64,
    /// The nodes that answered.
    pub nodes_reachable: usize,
    /// The failures of the others. The chain is indexed without them; worth a warning.
    pub unreachable: Vec<IndexerError>,
}

/// Asks each node of the chain for its chain id and head.
///
/// # Errors
/// The settings cannot work, a node belongs to another chain, or no node answers (then the
/// first one's failure).
pub async fn check(chain: &ChainSettings) -> Result<NodeReport> {
    let nodes = Nodes::new(chain)?;
    let heads = futures::future::join_all(nodes.each().map(Node::head)).await;
    let mut report = NodeReport {
        chain: chain.name.clone(),
        chain_id: chain.id,
        head: 0,
        nodes_reachable: 0,
        unreachable: Vec::new(),
    };
    for head in heads {
        match head {
            Ok(head) => {
                report.head = report.head.max(head.number.unsigned_abs());
                report.nodes_reachable += 1;
            }
            Err(error) if error.stops_the_chain() => return Err(error),
            Err(error) => report.unreachable.push(error),
        }
    }
    if report.nodes_reachable == 0 {
        return Err(report.unreachable.swap_remove(0));
    }
    Ok(report)
}
