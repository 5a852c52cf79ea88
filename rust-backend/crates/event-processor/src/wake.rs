//! The one bell that ends a sleep.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use event_engine::event::ChainId;
use parking_lot::Mutex;
use tokio::sync::Notify;

/// Shards that are remembered by name; where more are named, anything may have happened.
const NAMED_MAX: usize = 1_000;

/// Rings for whoever sleeps, or for the next who would.
#[derive(Clone, Debug, Default)]
pub struct Wake {
    bell: Arc<Notify>,
    heard: Arc<Mutex<Heard>>,
}

/// What the bells said since it was last asked.
#[derive(Debug, Default)]
pub(crate) struct Heard {
    /// Shards that were named.
    pub(crate) shards: BTreeSet<ChainId>,
    /// Whether a bell rang that named none: anything may have happened.
    pub(crate) more: bool,
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
        self.hear(|heard| heard.more = true);
    }

    /// The same, and says in which shard something may have happened.
    pub fn ring_for(&self, shard: ChainId) {
        self.hear(|heard| {
            if heard.shards.len() < NAMED_MAX {
                heard.shards.insert(shard);
            } else {
                heard.more = true;
            }
        });
    }

    fn hear(&self, what: impl FnOnce(&mut Heard)) {
        what(&mut self.heard.lock());
        self.bell.notify_one();
    }

    fn has_news(&self) -> bool {
        let heard = self.heard.lock();
        heard.more || !heard.shards.is_empty()
    }

    /// What was heard; from now on, nothing was.
    pub(crate) fn heard(&self) -> Heard {
        std::mem::take(&mut *self.heard.lock())
    }

    /// Sleeps until somebody rings, at most for `tick`. What has been [heard](Self::heard) since it
    /// rang ends no sleep.
    pub async fn sleep(&self, tick: Duration) -> Woken {
        let rung = async {
            loop {
                self.bell.notified().await;
                if self.has_news() {
                    break;
                }
            }
        };
        match tokio::time::timeout(tick, rung).await {
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

    #[tokio::test]
    async fn a_bell_that_has_been_heard_already_ends_no_sleep() {
        let wake = Wake::default();
        wake.ring_for(ChainId(1));
        wake.heard();
        assert_eq!(wake.sleep(Duration::from_millis(1)).await, Woken::Tick);
        wake.ring_for(ChainId(1));
        wake.heard();
        wake.ring_for(ChainId(2));
        assert_eq!(wake.sleep(Duration::from_mins(1)).await, Woken::Rung);
    }
}
