//! How long to wait before trying again.

use std::time::Duration;

/// The first wait: long enough for a node that restarts its connection, short beside a block.
const FIRST: Duration = Duration::from_millis(250);
/// The longest: a node that comes back is noticed within this time.
const LONGEST: Duration = Duration::from_secs(15);

/// Waits that double, from [`FIRST`] to [`LONGEST`], each with jitter.
#[derive(Debug)]
pub(crate) struct Backoff {
    next: Duration,
}

impl Backoff {
    pub(crate) fn new() -> Self {
        Self { next: FIRST }
    }

    /// The next wait: between half of it and all, so that chains behind one node do not ask it
    /// together.
    pub(crate) fn next_wait(&mut self) -> Duration {
        let wait = self.next;
        self.next = (wait * 2).min(LONGEST);
        wait.mul_f64(rand::random_range(0.5..=1.0))
    }

    /// After a success.
    pub(crate) fn reset(&mut self) {
        self.next = FIRST;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_with_jitter_up_to_the_longest_and_begin_again_after_a_success() {
        let mut backoff = Backoff::new();
        for expected_ms in [250, 500, 1_000, 2_000, 4_000, 8_000, 15_000, 15_000] {
            let longest = Duration::from_millis(expected_ms);
            let wait = backoff.next_wait();
            assert!(wait >= longest / 2 && wait <= longest, "{wait:?} of {longest:?}");
        }
        backoff.reset();
        assert!(backoff.next_wait() <= FIRST);
    }
}
