//! The wait before a shard's next batch, and the size of that batch.

use std::time::Duration;

use service::backoff::Backoff;
use service::outage::Outage;
use tokio::time::Instant;

use crate::processor_loop::BATCH_ENTRIES_MAX;

/// Bounds of the wait for a shard that another processor holds.
const HELD: (Duration, Duration) = (Duration::from_millis(1), Duration::from_millis(20));
/// Bounds of the wait for a shard whose batches fail.
const FAILING: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(2));

/// Time between two log lines about the same failing shard.
const LOGGED_EVERY: Duration = Duration::from_mins(1);

/// The backoff of one shard.
#[derive(Clone, Debug)]
pub(crate) struct ShardBackoff {
    /// Entries in a batch: halved after a failure, so that a poisonous entry ends up alone, and
    /// doubled after a success.
    pub(crate) entries_max: u32,
    /// On while its batches fail.
    outage: Outage,
    /// The latest failure, while its batches fail and not for their rows' sake.
    pub(crate) obstacle: Option<String>,
    /// True if its chain is known.
    pub(crate) is_known: bool,
    /// The number of its latest batch: the shard with the lowest comes first.
    pub(crate) latest_batch: u64,
    rests_until: Option<Instant>,
    rests: Backoff,
}

impl Default for ShardBackoff {
    fn default() -> Self {
        Self {
            entries_max: BATCH_ENTRIES_MAX,
            outage: Outage::default(),
            obstacle: None,
            is_known: false,
            latest_batch: 0,
            rests_until: None,
            rests: Backoff::new(HELD.0, HELD.1),
        }
    }
}

impl ShardBackoff {
    /// The remaining wait, or zero.
    pub(crate) fn rest(&self, now: Instant) -> Duration {
        self.rests_until.map_or(Duration::ZERO, |until| until.saturating_duration_since(now))
    }

    /// True if it is judged apart from others: a batch failed, and its size has not recovered yet.
    pub(crate) fn is_alone(&self) -> bool {
        self.entries_max < BATCH_ENTRIES_MAX
    }

    /// True if it is as a new one would be.
    pub(crate) fn is_initial(&self, now: Instant) -> bool {
        !self.is_alone() && !self.outage.is_on() && self.rest(now).is_zero()
    }

    /// Records a judged batch. Returns true if the one before failed.
    pub(crate) fn judged(&mut self) -> bool {
        self.entries_max = (self.entries_max * 2).min(BATCH_ENTRIES_MAX);
        self.rests_until = None;
        self.rests.reset();
        self.obstacle = None;
        self.outage.ends()
    }

    /// Records that another processor holds the shard, or that it had no entries.
    pub(crate) fn held(&mut self, now: Instant) {
        self.obstacle = None;
        self.rest_longer(now, HELD);
    }

    /// Records a failed batch. Returns true if it is to be logged: at first, and once a minute.
    pub(crate) fn failed(&mut self, now: Instant) -> bool {
        self.entries_max = (self.entries_max / 2).max(1);
        self.rest_longer(now, FAILING);
        self.outage.begins_or_lasts(now, LOGGED_EVERY)
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
    fn a_failing_shard_takes_less_and_rests_until_it_succeeds() {
        let now = Instant::now();
        let mut backoff = ShardBackoff::default();
        for _ in 0..20 {
            backoff.obstacle = Some("a fault".to_owned());
            backoff.failed(now);
        }
        assert_eq!((backoff.entries_max, backoff.rest(now)), (1, FAILING.1));
        backoff.judged();
        assert_eq!(backoff.obstacle, None);
        assert_eq!((backoff.entries_max, backoff.rest(now)), (2, Duration::ZERO));
        assert!(backoff.is_alone(), "the next batch may fail again");
        for _ in 0..20 {
            backoff.judged();
        }
        assert!(!backoff.is_alone());
    }

    #[test]
    fn a_shard_that_another_holds_is_asked_for_again_within_20_ms() {
        let now = Instant::now();
        let mut backoff = ShardBackoff::default();
        backoff.held(now);
        assert_eq!(backoff.rest(now), HELD.0);
        for _ in 0..20 {
            backoff.held(now);
        }
        assert_eq!(backoff.rest(now), HELD.1);
    }
}
