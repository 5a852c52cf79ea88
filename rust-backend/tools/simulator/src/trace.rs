//! What happened in a world, line by line: the same for the same seed.

use std::time::Duration;

use parking_lot::{Mutex, MutexGuard};

/// The lines of one world.
#[derive(Debug, Default)]
pub struct Trace(Mutex<Vec<String>>);

impl Trace {
    /// Adds a line that happened `at` that time.
    pub fn say(&self, at: Duration, line: &str) {
        let at_ms = at.as_millis();
        self.lines().push(format!("{:>4}.{:03} {line}", at_ms / 1_000, at_ms % 1_000));
    }

    /// Takes all lines out.
    pub fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.lines())
    }

    fn lines(&self) -> MutexGuard<'_, Vec<String>> {
        self.0.lock()
    }
}
