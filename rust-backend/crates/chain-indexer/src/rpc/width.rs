//! How many blocks' logs a node is asked for at once: as many as it gives, found by trying.

use parking_lot::Mutex;

/// Blocks at first: what the tightest of the public nodes allow, and a few.
const FIRST: u64 = 256;
/// The most. Beyond it little is saved.
const MOST: u64 = 50_000;
/// Logs that an answer should have: some megabytes, so that memory stays flat.
pub(crate) const LOGS_AIMED_AT: usize = 2_000;
/// Answers at the limit that was found, until it is tried whether it still holds.
const TRIED_AGAIN_AFTER: u32 = 100;

/// The number of blocks, of one node.
#[derive(Debug)]
pub(crate) struct Width(Mutex<WidthState>);

#[derive(Debug)]
struct WidthState {
    now: u64,
    /// The widest range that was answered, as far as it says something of the limit.
    answered: u64,
    /// The narrowest range that was refused.
    refused: Option<u64>,
    answers_at_limit: u32,
}

impl Width {
    pub(crate) fn new() -> Self {
        Self(Mutex::new(WidthState { now: FIRST, answered: 0, refused: None, answers_at_limit: 0 }))
    }

    /// Blocks to ask for now, at least one.
    pub(crate) fn now(&self) -> u64 {
        self.0.lock().now
    }

    /// A range of so many blocks was refused, for whatever reason.
    pub(crate) fn refused(&self, blocks: u64) {
        let mut state = self.0.lock();
        // What was answered before may be refused by now: then the half is tried.
        state.answered = if state.answered < blocks { state.answered } else { 0 };
        let fewer = if state.answered > 0 { state.answered } else { blocks / 2 };
        state.now = state.now.min(fewer).max(1);
        state.refused = Some(state.refused.map_or(blocks, |before| before.min(blocks)));
        state.answers_at_limit = 0;
    }

    /// A range of so many blocks was answered with so many logs.
    pub(crate) fn answered(&self, blocks: u64, logs: usize) {
        let mut state = self.0.lock();
        if logs > LOGS_AIMED_AT {
            let fewer = blocks.saturating_mul(LOGS_AIMED_AT as u64) / logs as u64;
            state.now = state.now.min(fewer.max(1));
            state.answered = state.answered.min(state.now);
            return;
        }
        // Of a range that was narrower for another reason, nothing is learned.
        if blocks < state.now || logs * 5 > LOGS_AIMED_AT * 4 {
            return;
        }
        state.answered = blocks;
        let Some(refused) = state.refused else {
            state.now = (state.now + (state.now / 4).max(1)).min(MOST);
            return;
        };
        // Half of the way to what was refused, until that is nearly it.
        let way = refused.saturating_sub(state.now);
        if way > (state.now / 10).max(1) {
            state.now += way / 2;
            return;
        }
        state.answers_at_limit += 1;
        if state.answers_at_limit > TRIED_AGAIN_AFTER {
            (state.refused, state.answers_at_limit) = (None, 0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Asks a node with a limit of blocks until it was answered so often; how often it refused.
    fn refusals(width: &Width, limit: u64, answers: u32) -> u32 {
        let (mut refusals, mut answered) = (0, 0);
        while answered < answers {
            let blocks = width.now();
            if blocks > limit {
                width.refused(blocks);
                refusals += 1;
            } else {
                width.answered(blocks, 0);
                answered += 1;
            }
        }
        refusals
    }

    #[test]
    fn the_limit_of_a_node_is_found_remembered_and_seldom_tried() {
        for limit in [1, 2, 10, 999, 1_000, 10_000] {
            let width = Width::new();
            refusals(&width, limit, 200);
            let later = refusals(&width, limit, 300);
            assert!(later <= 12, "{later} refusals with a limit of {limit}");
            assert!(width.now() * 10 >= limit * 8, "{} with a limit of {limit}", width.now());
        }
        let unlimited = Width::new();
        assert_eq!(refusals(&unlimited, u64::MAX, 200), 0);
        assert_eq!(unlimited.now(), MOST);
    }

    #[test]
    fn a_limit_that_is_raised_is_noticed() {
        let width = Width::new();
        refusals(&width, 10, 100);
        refusals(&width, 10_000, 1_000);
        assert!(width.now() > 5_000, "{}", width.now());
    }

    #[test]
    fn where_blocks_are_full_fewer_are_asked_for() {
        let width = Width::new();
        width.answered(256, 25_600);
        assert_eq!(width.now(), 20);
        width.answered(20, 1_999);
        assert_eq!(width.now(), 20);
        width.answered(1, 1_000_000);
        assert_eq!(width.now(), 1);
    }
}
