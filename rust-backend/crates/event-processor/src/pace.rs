//! How soon a shard is looked at again, and how much of it is taken at once.

use std::time::Duration;

use service::backoff::Backoff;
use service::outage::Outage;
use tokio::time::Instant;

use crate::wheel::BATCH_ENTRIES_MAX;

/// The shortest and the longest wait for a shard that another processor holds.
const HELD: (Duration, Duration) = (Duration::from_millis(1), Duration::from_millis(20));
/// The shortest and the longest wait for a shard whose batches fail.
const FAILING: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(2));

/// Between two lines that say so.
const SAID_EVERY: Duration = Duration::from_mins(1);

/// The pace of one shard.
#[derive(Clone, Debug)]
pub(crate) struct Pace {
    /// Entries in a batch: halved when one fails, so that a poisonous entry is alone in the end,
    /// and doubled when one succeeds.
    pub(crate) entries_max: u32,
    /// Whether its latest batch failed.
    pub(crate) outage: Outage,
    /// Whether somebody vouches for its chain.
    pub(crate) is_known: bool,
    /// Which of all turns its latest was: whoever waits longest comes first.
    pub(crate) latest_turn: u64,
    rests_until: Option<Instant>,
    rests: Backoff,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            entries_max: BATCH_ENTRIES_MAX,
            outage: Outage::default(),
            is_known: false,
            latest_turn: 0,
            rests_until: None,
            rests: Backoff::new(HELD.0, HELD.1),
        }
    }
}

impl Pace {
    /// How long it still rests; zero where it does not.
    pub(crate) fn rest(&self, now: Instant) -> Duration {
        self.rests_until.map_or(Duration::ZERO, |until| until.saturating_duration_since(now))
    }

    /// Whether it is judged apart from others: a batch of it has failed, and it has not come back
    /// to its full size since.
    pub(crate) fn is_alone(&self) -> bool {
        self.entries_max < BATCH_ENTRIES_MAX
    }

    /// Whether there is nothing to remember of it.
    pub(crate) fn is_usual(&self, now: Instant) -> bool {
        !self.is_alone() && !self.outage.is_on() && self.rest(now).is_zero()
    }

    /// A batch was judged. Returns true if the one before failed.
    pub(crate) fn judged(&mut self) -> bool {
        self.entries_max = (self.entries_max * 2).min(BATCH_ENTRIES_MAX);
        self.rests_until = None;
        self.rests.reset();
        self.outage.ends()
    }

    /// Another processor has it, or there was nothing in it.
    pub(crate) fn held(&mut self, now: Instant) {
        self.rest_longer(now, HELD);
    }

    /// Its batch failed. Returns true where that is worth a line in the log: the first time, and
    /// each minute.
    pub(crate) fn failed(&mut self, now: Instant) -> bool {
        self.entries_max = (self.entries_max / 2).max(1);
        self.rest_longer(now, FAILING);
        self.outage.begins_or_lasts(now, SAID_EVERY)
    }

    fn rest_longer(&mut self, now: Instant, (shortest, longest): (Duration, Duration)) {
        self.rests.set_bounds(shortest, longest);
        self.rests_until = Some(now + self.rests.next_wait());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failing_shard_takes_less_and_rests_longer_until_it_succeeds() {
        let now = Instant::now();
        let mut pace = Pace::default();
        for _ in 0..20 {
            pace.failed(now);
        }
        assert_eq!((pace.entries_max, pace.rest(now)), (1, FAILING.1));
        pace.judged();
        assert_eq!((pace.entries_max, pace.rest(now)), (2, Duration::ZERO));
        assert!(pace.is_alone(), "the next batch may fail again");
        for _ in 0..20 {
            pace.judged();
        }
        assert!(!pace.is_alone());
    }

    #[test]
    fn a_shard_that_another_holds_is_asked_for_again_within_20_ms() {
        let now = Instant::now();
        let mut pace = Pace::default();
        pace.held(now);
        assert_eq!(pace.rest(now), HELD.0);
        for _ in 0..20 {
            pace.held(now);
        }
        assert_eq!(pace.rest(now), HELD.1);
    }
}
