//! Waiting with a limit.

use std::thread;
use std::time::{Duration, Instant};

/// Interval between checks: a server starts in tens of milliseconds.
const EVERY: Duration = Duration::from_millis(3);

/// Checks until the answer is true, or `limit` has passed. Returns the last answer.
pub(crate) fn until(limit: Duration, mut answer: impl FnMut() -> bool) -> bool {
    let end = Instant::now() + limit;
    loop {
        if answer() {
            return true;
        }
        if Instant::now() >= end {
            return false;
        }
        thread::sleep(EVERY);
    }
}
