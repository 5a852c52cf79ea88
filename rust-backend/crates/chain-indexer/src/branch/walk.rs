//! The walk down a node's branch to its fork with the observed one.
//!
//! It goes from a header that contradicts the observed blocks down, parent by parent, **by hash**:
//! behind one URL there may be nodes of different minds, and a walk by number could put a branch
//! together that none of them has. Our indexer and the auditor walk alike.

use event_engine::event::ChainId;
use event_store::chain::observed_blocks::BlockName;
use event_store::chain::reorgs::NewBranch;

use crate::rpc::answer::{Link, NodeHeader};
use crate::rpc::node::Node;
use crate::{IndexerError, Result};

/// The blocks of a chain that a reader has observed.
pub(crate) trait Observed {
    /// The highest final block, whichever reader has seen it become final.
    async fn finalized(&self) -> Result<Option<BlockName>>;

    /// Some of the observed blocks from `height` down, highest first; none where there is none.
    async fn downwards(&self, height: i64) -> Result<Vec<BlockName>>;

    /// Whether the lowest of them was final when it was observed. If so, no branch leaves the chain
    /// below it.
    fn is_lowest_final(&self) -> bool;

    /// A sign of life: a deep walk takes its time.
    fn alive(&self) {}
}

/// A walk down one branch.
pub(crate) struct Walk<'c, O> {
    pub(crate) chain: &'c str,
    pub(crate) chain_id: ChainId,
    pub(crate) node: Node<'c>,
    pub(crate) observed: &'c O,
}

impl<O: Observed> Walk<'_, O> {
    /// Finds the fork of the observed branch, which ends with `tip`, and the one that `link` stands
    /// on; `link` is not observed.
    ///
    /// Nothing is changed; after a failure the caller reads `tip` again. It is given up where a
    /// finalized block would be replaced, and where the node does not have a parent, or not yet
    /// the finalized block: another node will, or the branch is gone.
    pub(crate) async fn down(self, tip: &BlockName, link: Link) -> Result<NewBranch> {
        let mut finalized = self.observed.finalized().await?;
        let mut link = self.at_or_above(finalized.as_ref(), link).await?;
        let mut page = HeaderPage { observed: self.observed, blocks: Vec::new() };
        let (mut branch, mut fork_time) = (Vec::new(), None);
        // The node's finalized block is one of ours, and its head is not: the two are of different
        // branches, as of two backends behind one URL. Or another reader has followed meanwhile,
        // and the caller's tip is old.
        if page.at_or_below(link.number).await?.is_some_and(|block| *block == link.name()) {
            return Err(self.node.distrust("its head is not on the branch of its lower blocks"));
        }
        let fork = loop {
            if finalized.as_ref() == Some(&link.name()) {
                // The branch has it.
                finalized = None;
            }
            if let Some(block) = finalized.as_ref().filter(|block| link.number <= block.number) {
                return Err(self.below_finalized(link, block.number));
            }
            branch.push(link.name().hash);
            let parent = link.parent();
            if parent.number < 0 {
                return Err(self.node.distrust("its first block is not the stored one"));
            }
            match page.at_or_below(parent.number).await? {
                Some(stored) if *stored == parent => break parent,
                Some(_) => link = self.parent(link).await?,
                None if self.observed.is_lowest_final() => {
                    return Err(self.below_finalized(link, link.number));
                }
                // All that is observed belongs to the other branch.
                None => {
                    fork_time = Some(self.time_below(link).await?);
                    break parent;
                }
            }
        };
        branch.reverse();
        Ok(NewBranch { chain_id: self.chain_id, tip: tip.clone(), fork, fork_time, branch })
    }

    /// The block that the walk begins with. Another reader may have followed the branch before, and
    /// seen it become final above `link`: then it begins with the finalized block, if this node's
    /// branch has it. A node that has no block of its height lags: what it says of lower ones
    /// proves nothing.
    async fn at_or_above(&self, finalized: Option<&BlockName>, link: Link) -> Result<Link> {
        let Some(finalized) = finalized.filter(|block| block.number > link.number) else {
            return Ok(link);
        };
        let number = finalized.number;
        let Some(header) = self.node.header(number.unsigned_abs()).await? else {
            let problem = format!("its branch ends below the finalized block {number}");
            return Err(self.node.distrust(&problem));
        };
        header.link().map_err(|problem| self.node.distrust(&problem))
    }

    /// The block that `link` stands on, from the node, by its hash.
    async fn parent(&self, link: Link) -> Result<Link> {
        self.observed.alive();
        let expected = link.parent();
        let (number, hash) = (expected.number, link.parent_hash);
        let header = self.header_below(link).await?;
        let found = header.link().map_err(|problem| self.node.distrust(&problem))?;
        if found.name() == expected {
            return Ok(found);
        }
        let (found_number, found_hash) = (found.number, found.hash);
        Err(self.node.distrust(&format!(
            "asked for block {number} ({hash}), it answered with {found_number} ({found_hash})"
        )))
    }

    /// The time of the block that `link` stands on, unix seconds.
    async fn time_below(&self, link: Link) -> Result<i64> {
        let header = self.header_below(link).await?;
        header.time().map_err(|problem| self.node.distrust(&problem))
    }

    async fn header_below(&self, link: Link) -> Result<NodeHeader> {
        if let Some(header) = self.node.header_of(link.parent_hash).await? {
            return Ok(header);
        }
        let (number, hash) = (link.parent().number, link.parent_hash);
        let problem = format!("it does not have block {number} ({hash}), whose child it has");
        Err(self.node.distrust(&problem))
    }

    fn below_finalized(&self, link: Link, finalized: i64) -> IndexerError {
        IndexerError::BelowFinalized {
            chain: self.chain.to_owned(),
            node: self.node.label().to_owned(),
            fork: link.number - 1,
            finalized,
            found: link.name().hash,
        }
    }
}

/// The observed blocks, read in pages on the way down.
struct HeaderPage<'c, O> {
    observed: &'c O,
    /// Lowest first.
    blocks: Vec<BlockName>,
}

impl<O: Observed> HeaderPage<'_, O> {
    /// The highest observed block that is not above `height`, which falls from call to call.
    async fn at_or_below(&mut self, height: i64) -> Result<Option<&BlockName>> {
        while self.blocks.last().is_some_and(|block| block.number > height) {
            self.blocks.pop();
        }
        if self.blocks.is_empty() {
            self.blocks = self.observed.downwards(height).await?;
            self.blocks.reverse();
        }
        Ok(self.blocks.last())
    }
}
