//! Where the node's branch leaves the stored one.
//!
//! The way goes down from a header that contradicts the stored blocks, parent by parent, **by
//! hash**: behind one URL there may be nodes of different minds, and a walk by number could put a
//! branch together that none of them has.

use event_store::chain::chain_blocks::BlockName;
use event_store::chain::reorgs::Reorg;

use crate::branch::ancestry::Ancestry;
use crate::health::status::StatusBoard;
use crate::rpc::answer::Link;
use crate::rpc::node::Node;
use crate::{ChainSettings, IndexerError, Result};

/// A walk down one branch.
pub(crate) struct Walk<'c> {
    pub(crate) settings: &'c ChainSettings,
    pub(crate) node: Node<'c>,
    pub(crate) ancestry: &'c Ancestry,
    pub(crate) board: &'c StatusBoard,
}

impl Walk<'_> {
    /// Finds the fork of the stored branch, which ends with `tip`, and the one that `link` stands
    /// on; `link` is not stored.
    ///
    /// Nothing is changed. It is given up where a finalized block would be replaced, and where the
    /// node does not have a parent: another one will, or the branch is gone.
    pub(crate) async fn down(self, tip: &BlockName, link: Link) -> Result<Reorg> {
        let mut finalized = self.ancestry.finalized().await?;
        // Who else reads the chain may have followed the branch before, and seen it become final:
        // what is final then lies above all that is stored here, and the way goes down from it.
        let beyond = finalized.as_ref().filter(|block| block.number > tip.number);
        let link = match beyond {
            Some(block) => self.header(block).await?.unwrap_or(link),
            None => link,
        };
        let mut stored_blocks = StoredBlocks { ancestry: self.ancestry, page: Vec::new() };
        let mut branch = Vec::new();
        let mut link = link;
        let fork = loop {
            if finalized.as_ref() == Some(&link.name()) {
                // The branch has it.
                finalized = None;
            }
            self.refuse_below_finalized(link, finalized.as_ref().map(|block| block.number))?;
            branch.push(link.name().hash);
            let parent = link.parent();
            if parent.number < 0 {
                return Err(self.node.distrust("its first block is not the stored one"));
            }
            match stored_blocks.at_or_below(parent.number).await? {
                Some(stored) if *stored == parent => break parent,
                Some(_) => link = self.parent(link).await?,
                // All that is stored belongs to the other branch.
                None => break parent,
            }
        };
        branch.reverse();
        Ok(Reorg { chain_id: self.settings.id, tip: tip.clone(), fork, branch })
    }

    /// A block by its hash, where the node has it.
    async fn header(&self, block: &BlockName) -> Result<Option<Link>> {
        let Ok(hash) = block.hash.parse() else { return Ok(None) };
        let Some(header) = self.node.header_of(hash).await? else { return Ok(None) };
        let link = header.link().map_err(|problem| self.node.distrust(&problem))?;
        Ok(Some(link).filter(|link| link.name() == *block))
    }

    /// The block that `link` stands on, from the node.
    async fn parent(&self, link: Link) -> Result<Link> {
        // A sign of life: a deep walk takes its time.
        self.board.update(self.settings.id, |_| {});
        let expected = link.parent();
        let (number, hash) = (expected.number, link.parent_hash);
        let Some(header) = self.node.header_of(hash).await? else {
            let problem = format!("it does not have block {number} ({hash}), whose child it has");
            return Err(self.node.distrust(&problem));
        };
        let found = header.link().map_err(|problem| self.node.distrust(&problem))?;
        if found.name() != expected {
            let (found_number, found_hash) = (found.number, found.hash);
            return Err(self.node.distrust(&format!(
                "asked for block {number} ({hash}), it answered with {found_number} ({found_hash})"
            )));
        }
        Ok(found)
    }

    fn refuse_below_finalized(&self, link: Link, finalized: Option<i64>) -> Result<()> {
        match finalized {
            Some(finalized) if link.number <= finalized => Err(IndexerError::BelowFinalized {
                chain: self.settings.name.clone(),
                node: self.node.label().to_owned(),
                fork: link.number - 1,
                finalized,
                found: link.name().hash,
            }),
            _ => Ok(()),
        }
    }
}

/// The stored blocks, read in pages on the way down.
struct StoredBlocks<'c> {
    ancestry: &'c Ancestry,
    /// Lowest first.
    page: Vec<BlockName>,
}

impl StoredBlocks<'_> {
    /// The highest stored block that is not above `height`, which falls from call to call.
    async fn at_or_below(&mut self, height: i64) -> Result<Option<&BlockName>> {
        while self.page.last().is_some_and(|block| block.number > height) {
            self.page.pop();
        }
        if self.page.is_empty() {
            self.page = self.ancestry.downwards(height).await?;
            self.page.reverse();
        }
        Ok(self.page.last())
    }
}
