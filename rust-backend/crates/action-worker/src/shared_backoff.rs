//! Waits that are shared: a burst of failures is no reason for a long one.

use std::time::Duration;

use service::backoff::Backoff;
use tokio::time::Instant;

/// Waits that double each time that one has passed in vain. All that ask while a wait lasts get
/// the same.
#[derive(Debug)]
pub(crate) struct SharedBackoff {
    backoff: Backoff,
    /// The latest wait and its end.
    latest: Option<(Duration, Instant)>,
}

impl SharedBackoff {
    pub(crate) const fn new(first: Duration, longest: Duration) -> Self {
        Self { backoff: Backoff::new(first, longest), latest: None }
    }

    /// The wait of a caller that asks at `now`.
    pub(crate) fn wait(&mut self, now: Instant) -> Duration {
        match self.latest {
            Some((wait, end)) if now < end => wait,
            _ => {
                let wait = self.backoff.next_wait();
                self.latest = Some((wait, now + wait));
                wait
            }
        }
    }

    /// True if the latest wait ended at least its own length before `now`.
    pub(crate) fn is_long_over(&self, now: Instant) -> bool {
        self.latest.is_none_or(|(wait, end)| now >= end + wait)
    }
}
