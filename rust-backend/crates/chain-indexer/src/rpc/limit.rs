//! Numbers that a node takes at once, found by trying: blocks of a range, questions of a batch.

use parking_lot::Mutex;

/// Blocks at first: as many as the tightest of the public nodes allow, and a few.
const BLOCKS_FIRST: u64 = 256;
/// The most. Beyond it little is saved.
const BLOCKS_MOST: u64 = 50_000;
/// Logs that an answer should have: some megabytes, so that memory stays flat.
pub(crate) const LOGS_AIMED_AT: usize = 2_000;
/// Questions in one batch, until a node wants fewer.
const QUESTIONS_MOST: u64 = 32;
/// Answers at the limit that was found, until it is tried whether it still holds: few at first,
/// since a node may have failed for another reason; twice as many each time it holds.
const TRIED_AGAIN_FIRST: u32 = 8;
const TRIED_AGAIN_LAST: u32 = 128;

/// A number that one node takes at once.
#[derive(Debug)]
pub(crate) struct Limit {
    first: u64,
    most: u64,
    state: Mutex<LimitState>,
}

#[derive(Debug)]
struct LimitState {
    now: u64,
    /// The largest number that was answered, as far as it says something of the limit.
    answered: u64,
    /// The smallest number that was refused.
    refused: Option<u64>,
    answers_at_limit: u32,
    tried_again_after: u32,
    /// The smallest number that was refused, while it is tried again.
    doubted: Option<u64>,
}

impl LimitState {
    const fn new(now: u64) -> Self {
        Self {
            now,
            answered: 0,
            refused: None,
            answers_at_limit: 0,
            tried_again_after: TRIED_AGAIN_FIRST,
            doubted: None,
        }
    }
}

impl Limit {
    /// Of the blocks whose logs are asked for together.
    pub(crate) fn of_blocks() -> Self {
        Self::new(BLOCKS_FIRST, BLOCKS_MOST)
    }

    /// Of the questions of a batch.
    pub(crate) fn of_questions() -> Self {
        Self::new(QUESTIONS_MOST, QUESTIONS_MOST)
    }

    fn new(first: u64, most: u64) -> Self {
        Self { first, most, state: Mutex::new(LimitState::new(first)) }
    }

    /// Begins anew: the refusals had another reason.
    pub(crate) fn forget(&self) {
        *self.state.lock() = LimitState::new(self.first);
    }

    /// The number to ask for now, at least one.
    pub(crate) fn now(&self) -> u64 {
        self.state.lock().now
    }

    /// True if less was answered before: then one refusal is enough to ask for less again.
    pub(crate) fn is_probe(&self, number: u64) -> bool {
        let state = self.state.lock();
        state.answered > 0 && state.answered < number
    }

    /// True if not even one was answered: then there is no point in asking so, for a while.
    pub(crate) fn refuses_one(&self) -> bool {
        self.state.lock().refused == Some(1)
    }

    /// A number was refused, for any reason.
    pub(crate) fn refused(&self, number: u64) {
        let mut state = self.state.lock();
        // A number that was answered before may be refused by now: then the half is tried.
        state.answered = if state.answered < number { state.answered } else { 0 };
        let fewer = if state.answered > 0 { state.answered } else { number / 2 };
        state.now = state.now.min(fewer).max(1);
        if let Some(doubted) = state.doubted.take() {
            let holds = number <= doubted * 2;
            let longer = (state.tried_again_after * 2).min(TRIED_AGAIN_LAST);
            state.tried_again_after = if holds { longer } else { TRIED_AGAIN_FIRST };
        }
        state.refused = Some(state.refused.map_or(number, |before| before.min(number)));
        state.answers_at_limit = 0;
    }

    /// A number of blocks was answered, with this number of logs.
    pub(crate) fn answered_with(&self, blocks: u64, logs: usize) {
        if logs > LOGS_AIMED_AT {
            let mut state = self.state.lock();
            let fewer = blocks.saturating_mul(LOGS_AIMED_AT as u64) / logs as u64;
            state.now = state.now.min(fewer.max(1));
            state.answered = state.answered.min(state.now);
        } else if logs * 5 <= LOGS_AIMED_AT * 4 {
            self.answered(blocks);
        }
    }

    /// A number was answered.
    pub(crate) fn answered(&self, number: u64) {
        let mut state = self.state.lock();
        // A number that was smaller for another reason says little.
        if number < state.now {
            return;
        }
        state.answered = number;
        let Some(refused) = state.refused else {
            state.now = (state.now + (state.now / 4).max(1)).min(self.most);
            return;
        };
        // Half of the way to the refused number, until the two are close.
        let way = refused.saturating_sub(state.now);
        if way > (state.now / 10).max(1) {
            state.now += way / 2;
            return;
        }
        state.answers_at_limit += 1;
        if state.answers_at_limit > state.tried_again_after {
            state.doubted = state.refused.take();
            state.answers_at_limit = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Asks a node with a limit of blocks until it was answered so often; how often it refused.
    fn refusals(blocks: &Limit, limit: u64, answers: u32) -> u32 {
        let (mut refusals, mut answered) = (0, 0);
        while answered < answers {
            let number = blocks.now();
            if number > limit {
                blocks.refused(number);
                refusals += 1;
            } else {
                blocks.answered_with(number, 0);
                answered += 1;
            }
        }
        refusals
    }

    #[test]
    fn the_limit_of_a_node_is_found_remembered_and_seldom_tried() {
        for limit in [1, 2, 10, 999, 1_000, 10_000] {
            let blocks = Limit::of_blocks();
            refusals(&blocks, limit, 200);
            let later = refusals(&blocks, limit, 300);
            assert!(later <= 12, "{later} refusals with a limit of {limit}");
            assert!(blocks.now() * 10 >= limit * 8, "{} with a limit of {limit}", blocks.now());
        }
        let unlimited = Limit::of_blocks();
        assert_eq!(refusals(&unlimited, u64::MAX, 200), 0);
        assert_eq!(unlimited.now(), BLOCKS_MOST);
    }

    #[test]
    fn a_limit_that_is_raised_is_noticed() {
        let blocks = Limit::of_blocks();
        refusals(&blocks, 10, 100);
        refusals(&blocks, 10_000, 1_000);
        assert!(blocks.now() > 5_000, "{}", blocks.now());
    }

    #[test]
    fn where_blocks_are_full_fewer_are_asked_for() {
        let blocks = Limit::of_blocks();
        blocks.answered_with(256, 25_600);
        assert_eq!(blocks.now(), 20);
        blocks.answered_with(20, 1_999);
        assert_eq!(blocks.now(), 20);
        blocks.answered_with(1, 1_000_000);
        assert_eq!(blocks.now(), 1);
    }
}
