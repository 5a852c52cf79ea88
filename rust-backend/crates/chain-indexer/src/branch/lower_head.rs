//! A head that is not above the highest stored block: of a node that lags on the stored branch, is
//! on another one, or of another chain.

use event_store::chain::observed_blocks::BlockName;

use crate::branch::chain_store::ChainStore;
use crate::rpc::answer::{HeaderRef, NodeHeader};
use crate::rpc::node::Node;
use crate::{IndexerError, Result};

/// Compares such heads with the stored blocks, each once.
#[derive(Default)]
pub(crate) struct LowerHead {
    /// The highest stored block, and the head that was found to be on its branch.
    on_branch: Option<(BlockName, BlockName)>,
}

impl LowerHead {
    /// The node's block in the place of a stored one; `None` for a node that lags, and is waited
    /// for. At most one question.
    ///
    /// Of blocks with gaps the highest stored one at or below the head is compared. A head below
    /// all of them tells nothing by its height: the node is asked for the highest stored block by
    /// its hash. A node without that block may lag or be of another chain, so that it fails.
    pub(crate) async fn fork(
        &mut self,
        store: &ChainStore,
        node: Node<'_>,
        tip: &BlockName,
        head: HeaderRef,
    ) -> Result<Option<HeaderRef>> {
        let compared = (tip.clone(), head.name());
        if compared.0 == compared.1 || self.on_branch.as_ref() == Some(&compared) {
            return Ok(None);
        }
        let fork = match store.at_or_below(head.number).await? {
            Some(stored) if stored.number == head.number => {
                (stored.hash != compared.1.hash).then_some(head)
            }
            Some(stored) => {
                // It may be gone by now, or another backend behind the same URL lags: no proof.
                let Some(found) = node.header(stored.number.unsigned_abs()).await? else {
                    return Ok(None);
                };
                in_place_of(&stored, &found, node)?
            }
            None => {
                knows(tip, &store.name, node, head).await?;
                None
            }
        };
        self.on_branch = fork.is_none().then_some(compared);
        Ok(fork)
    }
}

/// The node's block at the height of a stored one, if that is another.
fn in_place_of(
    stored: &BlockName,
    found: &NodeHeader,
    node: Node<'_>,
) -> Result<Option<HeaderRef>> {
    let header = found.header_ref().map_err(|problem| node.distrust(&problem))?;
    Ok((header.number == stored.number && header.name().hash != stored.hash).then_some(header))
}

/// Fails where the node does not have the highest stored block.
async fn knows(tip: &BlockName, chain: &str, node: Node<'_>, head: HeaderRef) -> Result<()> {
    if node.has(tip).await? {
        return Ok(());
    }
    // It is avoided for a while: another node may have more.
    drop(node.distrust("its head is below every stored block"));
    Err(IndexerError::BelowStored {
        chain: chain.to_owned(),
        node: node.label().to_owned(),
        head: head.number,
        highest: tip.number,
    })
}
