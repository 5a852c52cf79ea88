//! One audited chain, as each step of its audit sees it.

use std::sync::Arc;

use crate::ChainSettings;
use crate::branch::chain_store::ChainStore;
use crate::rpc::nodes::Nodes;

/// An audited chain: its settings, nodes and rows. The reader of `store` is the one by whose blocks
/// the chain is audited.
pub(super) struct AuditContext {
    pub(super) store: ChainStore,
    pub(super) settings: Arc<ChainSettings>,
    pub(super) nodes: Arc<Nodes>,
}
