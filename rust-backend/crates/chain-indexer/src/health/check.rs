//! Asking a chain's nodes before it is indexed.

use std::sync::Arc;

use alloy_primitives::Address;
use event_engine::event::ChainId;
use service::config::ContractAddress;
use tokio_util::task::AbortOnDropHandle;

use crate::rpc::node::Node;
use crate::rpc::nodes::Nodes;
use crate::{ChainSettings, IndexerError, Registry, Result};

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
    /// The registries at whose address the nodes have no contract. Worth a warning: there may be
    /// one later.
    pub without_code: Vec<(Registry, ContractAddress)>,
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
        without_code: Vec::new(),
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
    report.without_code = missing_contracts(&nodes, chain).await;
    Ok(report)
}

/// Logs each registry at whose address there is no contract, beside the caller.
pub(crate) fn look_for_contracts(
    nodes: &Arc<Nodes>,
    settings: &Arc<ChainSettings>,
) -> AbortOnDropHandle<()> {
    let (nodes, settings) = (Arc::clone(nodes), Arc::clone(settings));
    AbortOnDropHandle::new(tokio::spawn(async move {
        warn_of_missing_contracts(&nodes, &settings).await;
    }))
}

async fn warn_of_missing_contracts(nodes: &Nodes, settings: &ChainSettings) {
    let chain = settings.name.as_str();
    for (registry, address) in missing_contracts(nodes, settings).await {
        let (registry, address) = (registry.as_str(), address.checksummed());
        tracing::warn!(chain, registry, address, "There is no contract at a registry's address");
    }
}

/// The registries without a contract. A node that does not say it, or fails, is passed over.
async fn missing_contracts(
    nodes: &Nodes,
    settings: &ChainSettings,
) -> Vec<(Registry, ContractAddress)> {
    let mut missing = Vec::new();
    for (registry, address) in settings.registries.configured() {
        let asked = nodes.current().has_code(Address::from(address.0), None).await;
        if matches!(asked, Ok(Some(false))) {
            missing.push((registry, address));
        }
    }
    missing
}
