//! The ways of asking for the logs of one block, and the way that a node answers.

use tokio::sync::{Mutex, MutexGuard};

/// Blocks by another way than the best, until better ways are tried again.
const TRIED_AGAIN_AFTER: u32 = 100;
/// Blocks in a row by another way than the latest, until it is the latest: one may be chance.
const LEFT_AFTER: u32 = 3;

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
    /// Blocks by the latest way; `None` until a way is found, and when all are tried again.
    times: Option<u32>,
    /// Blocks in a row by other ways since.
    otherwise: u32,
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
        let latest = LogsWay::BlockHash;
        let state = WaysState { latest, times: None, otherwise: 0, refusals: [0; ALL.len()] };
        Self { state: parking_lot::Mutex::new(state), looking: Mutex::new(()) }
    }

    /// All ways in the order in which they are tried: the answered one, and then the least refused;
    /// or the best first.
    pub(crate) fn in_order(&self) -> [LogsWay; ALL.len()] {
        let mut state = *self.state.lock();
        let mut ways = ALL;
        if state.times.is_some() {
            ways.sort_by_key(|way| (*way != state.latest, *state.refusals(*way)));
        }
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
        *state.refusals(way) = 0;
        let times = match state.times {
            Some(times) if way == state.latest => times + 1,
            Some(_) if state.otherwise + 1 < LEFT_AFTER => {
                state.otherwise += 1;
                return;
            }
            Some(_) | None => 0,
        };
        let is_over = way != LogsWay::BlockHash && times >= TRIED_AGAIN_AFTER;
        (state.latest, state.times, state.otherwise) = (way, (!is_over).then_some(times), 0);
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
    async fn the_answered_way_comes_first_and_better_ones_are_tried_again() {
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
        assert_eq!(ways.in_order(), ALL);
        assert!(ways.turn_to_look().await.is_some());
        ways.answered(LogsWay::Height);
        assert_eq!(ways.first(), LogsWay::Height);
    }

    #[test]
    fn a_way_is_left_when_it_does_not_answer_several_blocks() {
        let ways = LogsWays::new();
        ways.answered(LogsWay::BlockHash);
        for chance in 1..LEFT_AFTER {
            ways.answered(LogsWay::Height);
            assert_eq!(ways.first(), LogsWay::BlockHash, "{chance}");
        }
        ways.answered(LogsWay::BlockHash);
        for _ in 0..LEFT_AFTER {
            assert_eq!(ways.first(), LogsWay::BlockHash);
            ways.answered(LogsWay::Height);
        }
        assert_eq!(ways.first(), LogsWay::Height);
        for refused in [LogsWay::BlockReceipts, LogsWay::BlockHash, LogsWay::BlockHash] {
            ways.refused(refused);
        }
        let rest = [LogsWay::Receipts, LogsWay::BlockReceipts, LogsWay::BlockHash];
        assert_eq!(ways.in_order()[1..], rest, "the least refused comes first");
    }
}
