//! The walk down a node's branch to its fork with the observed one.
//!
//! It goes from a header that contradicts the observed blocks down, parent by parent, **by hash**:
//! behind one URL there may be several nodes on different branches, and a walk by number could mix
//! them. Our indexer and the auditor walk alike.

use std::time::Duration;

use event_store::chain::chain_readers::Reader;
use event_store::chain::observed_blocks::BlockName;
use event_store::chain::reorgs::NewBranch;
use tokio::time::Instant;

use crate::branch::chain_store::ChainStore;
use crate::rpc::answer::{HeaderRef, NodeHeader};
use crate::rpc::node::Node;
use crate::{IndexerError, Result};

/// The time in which a branch is expected to grow beyond the replaced one.
const GROWS_WITHIN: Duration = Duration::from_secs(1);
/// Interval between two looks at its head.
const LOOKED_AT_EVERY: Duration = Duration::from_millis(100);

/// A walk down one branch.
pub(crate) struct Walk<'c, F> {
    pub(crate) store: &'c ChainStore,
    pub(crate) node: Node<'c>,
    /// Called at each step: a deep walk takes its time, and its chain is not stuck.
    pub(crate) alive: F,
}

impl<F: Fn()> Walk<'_, F> {
    /// The head of a branch that ends below the observed tip, once the branch has grown that far:
    /// nodes tell of a branch block by block, and each replaced block is to be named. Without such
    /// growth within [`GROWS_WITHIN`], the highest head that was seen.
    ///
    /// A head at the tip or above may be of the observed branch: the node is back there.
    pub(crate) async fn grown(&self, tip: &BlockName, header: HeaderRef) -> Result<HeaderRef> {
        let (mut highest, until) = (header, Instant::now() + GROWS_WITHIN);
        while highest.number < tip.number && Instant::now() < until {
            (self.alive)();
            // Its branch can be followed without an answer, too.
            let Ok(head) = self.node.head().await else { break };
            let is_higher = head.number > highest.number;
            // A block of the observed branch is of a backend that lags there.
            if head.number >= tip.number || is_higher && !self.store.has(&head.name()).await? {
                highest = head;
            } else {
                tokio::time::sleep(LOOKED_AT_EVERY).await;
            }
        }
        Ok(highest)
    }

    /// Finds the fork between the observed branch, which ends with `tip`, and the branch of
    /// `header`, which is not observed.
    ///
    /// The fork is `tip` itself where `header` is above it on the observed branch.
    ///
    /// Changes nothing; after a failure the caller reads `tip` again. Fails if the branch replaces
    /// a finalized block or the chain's first one, and if the node lacks a parent or the finalized
    /// block: another node has it, or the branch is gone.
    pub(crate) async fn down(&self, tip: &BlockName, header: HeaderRef) -> Result<NewBranch> {
        let walked = self.to_fork(tip, header).await;
        let stops = walked.as_ref().is_err_and(IndexerError::stops_the_chain);
        // A reset, or another reader, may have taken the blocks away under the walk.
        if stops && !self.store.has(tip).await? {
            return Err(self.node.distrust("the stored branch has changed during the walk"));
        }
        walked
    }

    async fn to_fork(&self, tip: &BlockName, header: HeaderRef) -> Result<NewBranch> {
        let mut finalized = self.store.finalized().await?;
        self.refuse_another_chain(finalized.as_ref()).await?;
        let mut header = self.at_or_above(finalized.as_ref(), header).await?;
        let mut page = HeaderPage { store: self.store, blocks: Vec::new() };
        let (mut branch, mut fork_time) = (Vec::new(), None);
        // The node's finalized block is observed and its head is not: the two are of different
        // branches, as of two backends behind one URL. Or another reader has followed meanwhile,
        // and the caller's tip is old.
        if page.at_or_below(header.number).await?.is_some_and(|block| *block == header.name()) {
            return Err(self.node.distrust("its head is not on the branch of its lower blocks"));
        }
        // Auditing begins with a final block: no branch leaves the chain below it.
        let is_lowest_final = self.store.reader == Reader::Auditor;
        let fork = loop {
            if finalized.as_ref() == Some(&header.name()) {
                // The branch has it.
                finalized = None;
            }
            if let Some(block) = finalized.as_ref().filter(|block| header.number <= block.number) {
                return Err(self.below_finalized(header, block.number));
            }
            branch.push(header.name().hash);
            let parent = header.parent();
            if parent.number < 0 {
                return Err(self.node.distrust("its first block is not the stored one"));
            }
            match page.at_or_below(parent.number).await? {
                Some(stored) if *stored == parent => break parent,
                Some(_) => header = self.parent(header).await?,
                None if is_lowest_final => {
                    return Err(self.below_finalized(header, header.number));
                }
                // All that is observed belongs to the other branch.
                None => {
                    fork_time = Some(self.time_below(header).await?);
                    break parent;
                }
            }
        };
        branch.reverse();
        Ok(NewBranch { chain_id: self.store.id, tip: tip.clone(), fork, fork_time, branch })
    }

    /// Fails where the node has another block than the lowest settled one: the finalized block if
    /// it is below all observed ones; else the lowest observed one, if that is the chain's first or
    /// leads to the finalized one. No branch of the chain leaves it out. One question, which saves
    /// a walk in vain.
    async fn refuse_another_chain(&self, finalized: Option<&BlockName>) -> Result<()> {
        let Some(lowest) = self.store.lowest().await? else { return Ok(()) };
        let settled = match finalized {
            // Another reader, which began lower, saw it become final.
            Some(finalized) if finalized.number < lowest.number => finalized.clone(),
            // Another reader may have seen another branch become final.
            Some(finalized) if self.store.has(finalized).await? => lowest,
            _ if lowest.number == 0 => lowest,
            _ => return Ok(()),
        };
        let Some(header) = self.node.header(settled.number.unsigned_abs()).await? else {
            return Ok(());
        };
        let found = header.header_ref().map_err(|problem| self.node.distrust(&problem))?.name();
        if found.number != settled.number || found.hash == settled.hash {
            return Ok(());
        }
        // It is avoided for a while: another node may be of the stored chain.
        drop(self.node.distrust("it is of another chain"));
        Err(IndexerError::OtherChain {
            chain: self.store.name.clone(),
            node: self.node.label().to_owned(),
            block: settled.number,
            stored: settled.hash,
            found: found.hash,
        })
    }

    /// The block at which the walk begins. Another reader may have followed the branch before, and
    /// seen it become final above `header`: then it is the finalized block, if this node's branch
    /// has it. A node without a block of that height lags, and its lower blocks prove nothing.
    async fn at_or_above(
        &self,
        finalized: Option<&BlockName>,
        header: HeaderRef,
    ) -> Result<HeaderRef> {
        let Some(finalized) = finalized.filter(|block| block.number > header.number) else {
            return Ok(header);
        };
        let number = finalized.number;
        let Some(header) = self.node.header(number.unsigned_abs()).await? else {
            // It is avoided for a while: another node may have more.
            drop(self.node.distrust("its branch ends below the finalized block"));
            return Err(IndexerError::EndsBelowFinalized {
                chain: self.store.name.clone(),
                node: self.node.label().to_owned(),
                head: header.number,
                finalized: number,
            });
        };
        header.header_ref().map_err(|problem| self.node.distrust(&problem))
    }

    /// The node's block below `header`, by its hash.
    async fn parent(&self, header: HeaderRef) -> Result<HeaderRef> {
        (self.alive)();
        let expected = header.parent();
        let (number, hash) = (expected.number, header.parent_hash);
        let below = self.header_below(header).await?;
        let found = below.header_ref().map_err(|problem| self.node.distrust(&problem))?;
        if found.name() == expected {
            return Ok(found);
        }
        let (found_number, found_hash) = (found.number, found.hash);
        Err(self.node.distrust(&format!(
            "asked for block {number} ({hash}), it answered with {found_number} ({found_hash})"
        )))
    }

    /// The time of the block below `header`, in unix seconds.
    async fn time_below(&self, header: HeaderRef) -> Result<i64> {
        let below = self.header_below(header).await?;
        below.time().map_err(|problem| self.node.distrust(&problem))
    }

    async fn header_below(&self, header: HeaderRef) -> Result<NodeHeader> {
        if let Some(below) = self.node.header_of(header.parent_hash).await? {
            return Ok(below);
        }
        let (number, hash) = (header.parent().number, header.parent_hash);
        let problem = format!("it does not have block {number} ({hash}), whose child it has");
        Err(self.node.distrust(&problem))
    }

    fn below_finalized(&self, header: HeaderRef, finalized: i64) -> IndexerError {
        IndexerError::BelowFinalized {
            chain: self.store.name.clone(),
            node: self.node.label().to_owned(),
            fork: header.number - 1,
            finalized,
            found: header.name().hash,
        }
    }
}

/// The observed blocks, read in pages on the way down.
struct HeaderPage<'c> {
    store: &'c ChainStore,
    /// Lowest first.
    blocks: Vec<BlockName>,
}

impl HeaderPage<'_> {
    /// The highest observed block that is not above `height`, which falls from call to call.
    async fn at_or_below(&mut self, height: i64) -> Result<Option<&BlockName>> {
        while self.blocks.last().is_some_and(|block| block.number > height) {
            self.blocks.pop();
        }
        if self.blocks.is_empty() {
            self.blocks = self.store.downwards(height).await?;
            self.blocks.reverse();
        }
        Ok(self.blocks.last())
    }
}
