//! The ways of asking for the logs of one block, and the way that a node answers.

use parking_lot::Mutex;

/// Blocks by another way, until the first way is tried again.
const TRIED_AGAIN_AFTER: u32 = 100;

/// A way of asking.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LogsWay {
    /// By the block's hash (EIP-234): of this block, or refused.
    BlockHash,
    /// By its height, with the header before and after, which prove the branch.
    Height,
    /// By the receipts of its transactions.
    Receipts,
}

const ALL: [LogsWay; 3] = [LogsWay::BlockHash, LogsWay::Height, LogsWay::Receipts];

/// The way that one node has answered lately.
#[derive(Debug)]
pub(crate) struct LogsWays(Mutex<(LogsWay, u32)>);

impl LogsWays {
    pub(crate) fn new() -> Self {
        Self(Mutex::new((LogsWay::BlockHash, 0)))
    }

    /// All ways, the answered one first.
    pub(crate) fn in_order(&self) -> impl Iterator<Item = LogsWay> {
        let (first, _) = *self.0.lock();
        std::iter::once(first).chain(ALL.into_iter().filter(move |way| *way != first))
    }

    /// The node has answered by this way.
    pub(crate) fn answered(&self, way: LogsWay) {
        let mut latest = self.0.lock();
        let times = if latest.0 == way { latest.1 + 1 } else { 0 };
        let is_over = way != LogsWay::BlockHash && times >= TRIED_AGAIN_AFTER;
        *latest = if is_over { (LogsWay::BlockHash, 0) } else { (way, times) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_answered_way_comes_first_and_the_best_is_tried_again() {
        let ways = LogsWays::new();
        let first = || ways.in_order().next();
        assert_eq!(first(), Some(LogsWay::BlockHash));
        ways.answered(LogsWay::Receipts);
        assert!(ways.in_order().eq([LogsWay::Receipts, LogsWay::BlockHash, LogsWay::Height]));
        for _ in 0..TRIED_AGAIN_AFTER {
            assert_eq!(first(), Some(LogsWay::Receipts));
            ways.answered(LogsWay::Receipts);
        }
        assert_eq!(first(), Some(LogsWay::BlockHash));
    }
}
