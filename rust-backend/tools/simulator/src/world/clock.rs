//! Two clocks: the world's, which only goes on, and the database's, which may jump.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use tokio::time::Instant;

/// Where the database's clock stands when a world begins, in Unix milliseconds.
pub const EPOCH_MS: i64 = 1_750_000_000_000;

/// The clocks of a world.
#[derive(Debug)]
pub struct Clock {
    begun: Instant,
    jumped_ms: AtomicI64,
}

impl Clock {
    /// Begins now, in the runtime's time.
    pub fn new() -> Self {
        Self { begun: Instant::now(), jumped_ms: AtomicI64::new(0) }
    }

    /// How long the world has been going on.
    pub fn elapsed(&self) -> Duration {
        self.begun.elapsed()
    }

    /// What the database says the time is, in Unix milliseconds.
    pub fn database_ms(&self) -> i64 {
        EPOCH_MS + millis(self.elapsed()) + self.jumped_ms.load(Ordering::Relaxed)
    }

    /// Moves the database's clock.
    pub fn jump(&self, by_ms: i64) {
        self.jumped_ms.fetch_add(by_ms, Ordering::Relaxed);
    }
}

impl Default for Clock {
    fn default() -> Self {
        Self::new()
    }
}

/// A time as whole milliseconds.
pub fn millis(time: Duration) -> i64 {
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX)
}
