//! Waits between two tries, where all that can be done is to try again.

use std::time::Duration;

/// Waits that double from the first to the longest, until something works again.
#[derive(Clone, Debug)]
pub struct Backoff {
    first: Duration,
    longest: Duration,
    /// The latest wait before jitter; zero before the first one.
    latest: Duration,
    jitter: f64,
}

impl Backoff {
    /// No wait yet.
    pub const fn new(first: Duration, longest: Duration) -> Self {
        Self { first, longest, latest: Duration::ZERO, jitter: 0.0 }
    }

    /// Shortens each wait by chance, by up to this share of it: callers that fail together do not
    /// try again together.
    #[must_use]
    pub const fn with_jitter(self, share: f64) -> Self {
        Self { jitter: share, ..self }
    }

    /// Waits as before, in other bounds from now on.
    pub fn set_bounds(&mut self, first: Duration, longest: Duration) {
        (self.first, self.longest) = (first, longest);
    }

    /// The next wait.
    pub fn next_wait(&mut self) -> Duration {
        self.latest = self.upcoming();
        if self.jitter == 0.0 {
            return self.latest;
        }
        self.latest.mul_f64(1.0 - rand::random_range(0.0..=self.jitter))
    }

    /// The next wait before jitter, without taking it.
    pub fn upcoming(&self) -> Duration {
        (self.latest * 2).clamp(self.first, self.longest)
    }

    /// Begins again with the first wait, after a success.
    pub fn reset(&mut self) {
        self.latest = Duration::ZERO;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIRST: Duration = Duration::from_millis(250);
    const LONGEST: Duration = Duration::from_secs(15);
    const WAITS_MS: [u64; 8] = [250, 500, 1_000, 2_000, 4_000, 8_000, 15_000, 15_000];

    #[test]
    fn waits_double_to_the_longest_and_restart_after_a_success() {
        let mut backoff = Backoff::new(FIRST, LONGEST);
        for expected_ms in WAITS_MS {
            assert_eq!(backoff.upcoming(), Duration::from_millis(expected_ms));
            assert_eq!(backoff.next_wait(), Duration::from_millis(expected_ms));
        }
        backoff.reset();
        assert_eq!(backoff.next_wait(), FIRST);
    }

    #[test]
    fn jitter_shortens_a_wait_and_not_those_that_follow() {
        let mut backoff = Backoff::new(FIRST, LONGEST).with_jitter(0.5);
        for expected_ms in WAITS_MS {
            let longest = Duration::from_millis(expected_ms);
            let wait = backoff.next_wait();
            assert!(wait >= longest / 2 && wait <= longest, "{wait:?} of {longest:?}");
        }
    }
}
