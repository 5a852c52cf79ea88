//! The one bell that ends a sleep.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;

/// Rings for whoever sleeps, or for the next who would.
#[derive(Clone, Debug, Default)]
pub struct Wake {
    bell: Arc<Notify>,
}

/// What ended a sleep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Woken {
    /// Somebody rang.
    Rung,
    /// Nobody did for the longest time that is slept.
    Tick,
}

impl Wake {
    /// Ends the sleep that is under way, or else the next one. Ringing twice is ringing once.
    pub fn ring(&self) {
        self.bell.notify_one();
    }

    /// Sleeps until somebody rings, at most for `tick`.
    pub async fn sleep(&self, tick: Duration) -> Woken {
        match tokio::time::timeout(tick, self.bell.notified()).await {
            Ok(()) => Woken::Rung,
            Err(_) => Woken::Tick,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_bell_that_rings_before_the_sleep_ends_it_at_once() {
        let wake = Wake::default();
        wake.ring();
        wake.ring();
        assert_eq!(wake.sleep(Duration::from_mins(1)).await, Woken::Rung);
        assert_eq!(wake.sleep(Duration::ZERO).await, Woken::Tick);
    }
}
