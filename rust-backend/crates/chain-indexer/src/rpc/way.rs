//! The ways of asking for the logs of one block, and the way that a node answers.

use tokio::sync::{Mutex, MutexGuard};

/// Blocks by another way, until the best way is tried again.
const TRIED_AGAIN_AFTER: u32 = 100;

/// A way of asking.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LogsWay {
    /// By the block's hash (EIP-234): of this block, or refused.
    BlockHash,
    /// By its height, with the header after it, which proves the branch.
    Height,
    /// By the receipts of all its transactions, in one answer.
    BlockReceipts,
    /// By the receipt of each transaction.
    Receipts,
}

impl LogsWay {
    /// True if it shows all logs of each transaction.
    pub(crate) fn is_by_receipts(self) -> bool {
        matches!(self, Self::BlockReceipts | Self::Receipts)
    }
}

/// All ways, the best first.
const ALL: [LogsWay; 4] =
    [LogsWay::BlockHash, LogsWay::Height, LogsWay::BlockReceipts, LogsWay::Receipts];

/// The way that one node has answered lately.
#[derive(Debug)]
pub(crate) struct LogsWays {
    state: parking_lot::Mutex<WaysState>,
    /// Held while a block looks for a way that is answered: the others wait for its answer.
    looking: Mutex<()>,
}

#[derive(Clone, Copy, Debug)]
struct WaysState {
    latest: LogsWay,
    /// Blocks by the latest way; `None` until a way is found, and when the best is tried again.
    times: Option<u32>,
    /// Refusals of each way since it was answered last.
    refusals: [u32; ALL.len()],
}

impl WaysState {
    fn refusals(&mut self, way: LogsWay) -> &mut u32 {
        &mut self.refusals[way as usize]
    }
}

impl LogsWays {
    pub(crate) fn new() -> Self {
        let state = WaysState { latest: LogsWay::BlockHash, times: None, refusals: [0; ALL.len()] };
        Self { state: parking_lot::Mutex::new(state), looking: Mutex::new(()) }
    }

    /// All ways in the order in which they are tried: the answered one first, or second where the
    /// best is tried again; then the least refused.
    pub(crate) fn in_order(&self) -> [LogsWay; ALL.len()] {
        let mut state = *self.state.lock();
        let first = if state.times.is_some() { state.latest } else { LogsWay::BlockHash };
        let mut ways = ALL;
        ways.sort_by_key(|way| (*way != first, *way != state.latest, *state.refusals(*way)));
        ways
    }

    /// The way that is tried first.
    pub(crate) fn first(&self) -> LogsWay {
        self.in_order()[0]
    }

    /// Waits while another block looks for a way; `Some` where this one has to look.
    pub(crate) async fn turn_to_look(&self) -> Option<MutexGuard<'_, ()>> {
        let is_found = || self.state.lock().times.is_some();
        if is_found() {
            return None;
        }
        let turn = self.looking.lock().await;
        (!is_found()).then_some(turn)
    }

    /// The node has answered by this way.
    pub(crate) fn answered(&self, way: LogsWay) {
        let mut state = self.state.lock();
        let times = state.times.filter(|_| state.latest == way).map_or(0, |times| times + 1);
        let is_over = way != LogsWay::BlockHash && times >= TRIED_AGAIN_AFTER;
        (state.latest, state.times) = (way, (!is_over).then_some(times));
        *state.refusals(way) = 0;
    }

    /// The node has refused a question by this way.
    pub(crate) fn refused(&self, way: LogsWay) {
        let mut state = self.state.lock();
        let refusals = state.refusals(way);
        *refusals = refusals.saturating_add(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_answered_way_comes_first_and_the_best_is_tried_again() {
        let ways = LogsWays::new();
        assert_eq!(ways.in_order(), ALL);
        assert!(ways.turn_to_look().await.is_some());
        ways.answered(LogsWay::Receipts);
        let known =
            [LogsWay::Receipts, LogsWay::BlockHash, LogsWay::Height, LogsWay::BlockReceipts];
        for _ in 0..TRIED_AGAIN_AFTER {
            assert_eq!(ways.in_order(), known);
            assert!(ways.turn_to_look().await.is_none(), "it is known");
            ways.answered(LogsWay::Receipts);
        }
        let again =
            [LogsWay::BlockHash, LogsWay::Receipts, LogsWay::Height, LogsWay::BlockReceipts];
        assert_eq!(ways.in_order(), again);
        assert!(ways.turn_to_look().await.is_some());
        ways.answered(LogsWay::Receipts);
        assert_eq!(ways.first(), LogsWay::Receipts);
        for refused in [LogsWay::Receipts, LogsWay::Height, LogsWay::BlockHash, LogsWay::BlockHash]
        {
            ways.refused(refused);
        }
        let last = [LogsWay::BlockReceipts, LogsWay::Height, LogsWay::BlockHash];
        assert_eq!(ways.in_order()[1..], last, "the least refused");
    }
}
