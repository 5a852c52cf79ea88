//! What each step of an audit has at hand.

use std::sync::Arc;

use event_store::chain::chain_heights;
use event_store::chain::chain_readers::Reader;
use event_store::chain::observed_blocks::BlockName;
use event_store::{PgPool, StoreError, answered};

use crate::rpc::node::Nodes;
use crate::{ChainSettings, IndexerError, Result};

/// An audited chain: its settings, nodes and database.
pub(super) struct AuditContext {
    pub(super) pool: PgPool,
    pub(super) settings: ChainSettings,
    pub(super) nodes: Arc<Nodes>,
    /// The reader by whose blocks the chain is audited.
    pub(super) audited_by: Reader,
}

impl AuditContext {
    /// The highest block that is final, if one is known.
    pub(super) async fn finalized(&self) -> Result<Option<BlockName>> {
        self.asked(chain_heights::finalized(&self.pool, self.settings.id)).await
    }

    /// What the store answers, in time.
    pub(super) async fn asked<T>(
        &self,
        call: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T> {
        let chain = &self.settings.name;
        answered(call).await.map_err(|source| IndexerError::Store { chain: chain.clone(), source })
    }
}
