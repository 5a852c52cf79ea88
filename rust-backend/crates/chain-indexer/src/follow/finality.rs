//! From where downwards the chain does not change its mind any more: as its nodes say, or as deep
//! as the operator says.

use std::time::{Duration, Instant};

use event_store::chain::observed_blocks::BlockName;

use crate::Result;
use crate::rpc::node::Node;

/// How often it is looked at: it moves once in minutes on one chain, with every block on another,
/// and nothing waits for it.
const LOOKED_AT_EVERY: Duration = Duration::from_secs(5);
/// Blocks, where neither the nodes nor the operator say anything: two epochs of Ethereum, after
/// which it finalizes.
const DEPTH_DEFAULT: u64 = 64;

/// What is known of a chain's finality.
pub(crate) struct Finality {
    /// What the operator says.
    depth: Option<u64>,
    began_at: Instant,
    looked_at: Option<Instant>,
    /// Whether a node has ever said what is finalized: then it is not guessed where one is silent.
    nodes_say: bool,
}

/// A block that is final if it is stored.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Finalized {
    pub(crate) number: i64,
    /// Its hash, where a node named it; else it is the stored one of that height.
    pub(crate) hash: Option<String>,
    /// Whether nobody says so: it is deep, and that is all.
    pub(crate) is_guess: bool,
}

impl Finality {
    /// Of a chain with the operator's depth, in blocks.
    pub(crate) fn new(depth: Option<u64>) -> Self {
        Self { depth, began_at: Instant::now(), looked_at: None, nodes_say: false }
    }

    /// Whether it is time to look: for the first time where the head is reached, or that takes
    /// long. The next time comes after this one, however it ends.
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

    /// The height up to which the node's branch is final, with `head` the highest block; `None`:
    /// nothing is. What is that low is fetched in ranges.
    pub(crate) async fn reach(&mut self, node: Node<'_>, head: u64) -> Result<Option<u64>> {
        if let Some(depth) = self.depth {
            return Ok(head.checked_sub(depth.max(DEPTH_DEFAULT)));
        }
        if let Some(header) = node.finalized().await? {
            let link = header.link().map_err(|problem| node.distrust(&problem))?;
            self.nodes_say = true;
            return Ok(Some(link.number.unsigned_abs().min(head)));
        }
        Ok(if self.nodes_say { None } else { head.checked_sub(DEPTH_DEFAULT) })
    }

    /// The highest block that the node calls safe. With the operator's depth nodes are not asked:
    /// what is final is safe.
    pub(crate) async fn safe(&self, node: Node<'_>) -> Result<Option<BlockName>> {
        if self.depth.is_some() {
            return Ok(None);
        }
        let Some(header) = node.safe().await? else { return Ok(None) };
        let link = header.link().map_err(|problem| node.distrust(&problem))?;
        Ok(Some(link.name()))
    }

    /// The highest block that is final, with `tip` the highest stored one.
    ///
    /// A depth is counted from the stored block, not from the head: what has been stored on top of
    /// a block is known to follow it. The head's branch may be another.
    pub(crate) async fn look(
        &mut self,
        node: Node<'_>,
        tip: &BlockName,
    ) -> Result<Option<Finalized>> {
        if let Some(depth) = self.depth {
            return Ok(below(tip, depth, false));
        }
        if let Some(header) = node.finalized().await? {
            let link = header.link().map_err(|problem| node.distrust(&problem))?;
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
    fn a_depth_is_counted_from_the_highest_stored_block_and_ends_at_the_first() {
        let tip = BlockName { number: 100, hash: "0xaa".to_owned() };
        let finalized = |depth| below(&tip, depth, false).map(|block| block.number);
        assert_eq!(finalized(0), Some(100));
        assert_eq!(finalized(64), Some(36));
        assert_eq!(finalized(100), Some(0));
        assert_eq!(finalized(101), None);
        assert_eq!(finalized(u64::MAX), None);
    }

    #[test]
    fn it_is_looked_at_once_the_head_is_reached_and_then_now_and_then() {
        let mut finality = Finality::new(None);
        assert!(!finality.is_due(false));
        assert!(finality.is_due(true));
        assert!(!finality.is_due(true));
    }
}
