//! Does nobody sleep while there is something to do?

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::Instant;

/// What a survey saw.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Saw {
    /// Entries stand at or above the horizon.
    Held,
    /// None do.
    Nothing,
    /// The store did not answer.
    Trouble,
}

impl Saw {
    /// The longest time until the next, with what a timer may be late.
    fn sleep_max(self) -> Duration {
        let sleep_ms = match self {
            Self::Held => 20,
            // At its end a bell may begin a batch, which has as long to itself.
            Self::Nothing => 500 + 20,
            Self::Trouble => 2_000,
        };
        Duration::from_millis(sleep_ms + 2)
    }
}

/// The latest survey of each processor.
#[derive(Debug, Default)]
pub(super) struct Waking {
    surveys: BTreeMap<String, (Instant, Saw)>,
}

impl Waking {
    pub(super) fn begins(&mut self, processor: &str, now: Instant) -> Result<(), String> {
        let Some((ended, saw)) = self.surveys.remove(processor) else { return Ok(()) };
        let slept = now - ended;
        if slept > saw.sleep_max() {
            return Err(format!("{processor} slept for {slept:?} after a survey that saw {saw:?}"));
        }
        Ok(())
    }

    pub(super) fn ended(&mut self, processor: &str, saw: Saw, now: Instant) {
        self.surveys.insert(processor.to_owned(), (now, saw));
    }
}
