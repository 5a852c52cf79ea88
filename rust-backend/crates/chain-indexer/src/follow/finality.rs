//! The final part of a chain: by its nodes' tag, or by the operator's depth.

use std::time::{Duration, Instant};

use event_store::chain::observed_blocks::BlockName;

use crate::Result;
use crate::rpc::node::Node;

/// Interval between two looks: it moves once in minutes on one chain, with every block on another,
/// and nothing waits for it.
const LOOKED_AT_EVERY: Duration = Duration::from_secs(5);
/// Depth in blocks if neither the nodes nor the operator give one: two epochs of Ethereum, after
/// which it finalizes.
pub(crate) const DEPTH_DEFAULT: u64 = 64;

/// Finds the final and the safe block of one chain.
pub(crate) struct FinalityTracker {
    /// The operator's depth.
    depth: Option<u64>,
    began_at: Instant,
    looked_at: Option<Instant>,
    /// True once a node has named a finalized block: then the depth is no longer guessed.
    nodes_say: bool,
}

/// A block that is final if it is stored.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Finalized {
    pub(crate) number: i64,
    /// Its hash if a node named it; else the stored block of that height is meant.
    pub(crate) hash: Option<String>,
    /// True if it only is deep, and no node calls it final.
    pub(crate) is_guess: bool,
}

impl FinalityTracker {
    /// `depth` is the operator's, in blocks.
    pub(crate) fn new(depth: Option<u64>) -> Self {
        Self { depth, began_at: Instant::now(), looked_at: None, nodes_say: false }
    }

    /// True if it is time to look: for the first time once the head is reached or that takes long,
    /// then at intervals.
    pub(crate) fn is_due(&mut self, is_at_head: bool) -> bool {
        let due = match self.looked_at {
            None if is_at_head => true,
            before => before.unwrap_or(self.began_at).elapsed() >= LOOKED_AT_EVERY,
        };
        if due {
            self.looked_at = Some(Instant::now());
        }
        due
    }

    /// The height up to which the node's branch is final, with `head` the highest block; `None` if
    /// no block is. Blocks that low are fetched in ranges.
    pub(crate) async fn reach(&mut self, node: Node<'_>, head: u64) -> Result<Option<u64>> {
        if let Some(depth) = self.depth {
            return Ok(head.checked_sub(depth.max(DEPTH_DEFAULT)));
        }
        if let Some(header) = node.finalized().await? {
            let link = header.header_ref().map_err(|problem| node.distrust(&problem))?;
            self.nodes_say = true;
            return Ok(Some(link.number.unsigned_abs().min(head)));
        }
        Ok(if self.nodes_say { None } else { head.checked_sub(DEPTH_DEFAULT) })
    }

    /// The highest block that the node calls safe. With the operator's depth nodes are not asked: a
    /// final block is safe.
    pub(crate) async fn safe(&self, node: Node<'_>) -> Result<Option<BlockName>> {
        if self.depth.is_some() {
            return Ok(None);
        }
        let Some(header) = node.safe().await? else { return Ok(None) };
        let link = header.header_ref().map_err(|problem| node.distrust(&problem))?;
        Ok(Some(link.name()))
    }

    /// The highest block that is final, with `tip` the highest stored one.
    ///
    /// A depth is counted from the stored block, not from the head, which may be on another branch.
    pub(crate) async fn look(
        &mut self,
        node: Node<'_>,
        tip: &BlockName,
    ) -> Result<Option<Finalized>> {
        if let Some(depth) = self.depth {
            return Ok(below(tip, depth, false));
        }
        if let Some(header) = node.finalized().await? {
            let link = header.header_ref().map_err(|problem| node.distrust(&problem))?;
            self.nodes_say = true;
            let BlockName { number, hash } = link.name();
            return Ok(Some(Finalized { number, hash: Some(hash), is_guess: false }));
        }
        Ok(if self.nodes_say { None } else { below(tip, DEPTH_DEFAULT, true) })
    }
}

fn below(tip: &BlockName, depth: u64, is_guess: bool) -> Option<Finalized> {
    let number = i64::try_from(depth).ok().and_then(|depth| tip.number.checked_sub(depth));
    number.filter(|number| *number >= 0).map(|number| Finalized { number, hash: None, is_guess })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_depth_counts_from_the_highest_stored_block_to_the_first() {
        let tip = BlockName { number: 100, hash: "0xaa".to_owned() };
        let finalized = |depth| below(&tip, depth, false).map(|block| block.number);
        assert_eq!(finalized(0), Some(100));
        assert_eq!(finalized(64), Some(36));
        assert_eq!(finalized(100), Some(0));
        assert_eq!(finalized(101), None);
        assert_eq!(finalized(u64::MAX), None);
    }

    #[test]
    fn the_first_look_is_at_the_head_and_others_at_intervals() {
        let mut finality = FinalityTracker::new(None);
        assert!(!finality.is_due(false));
        assert!(finality.is_due(true));
        assert!(!finality.is_due(true));
    }
}
