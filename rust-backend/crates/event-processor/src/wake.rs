//! The signal that ends the loop's sleep.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use event_engine::event::ChainId;
use parking_lot::Mutex;
use tokio::sync::Notify;

/// Shards remembered by name. Further ones count as unnamed.
const NAMED_MAX: usize = 1_000;

/// Wakes the sleeping loop, or ends its next sleep at once.
#[derive(Clone, Debug, Default)]
pub struct Wake {
    bell: Arc<Notify>,
    notified: Arc<Mutex<Notified>>,
}

/// The notifications since they were last taken.
#[derive(Debug, Default)]
pub(crate) struct Notified {
    /// Shards that were named.
    pub(crate) shards: BTreeSet<ChainId>,
    /// True if one named no shard: any of them may have entries.
    pub(crate) others: bool,
}

impl Wake {
    /// Ends the present sleep, or else the next one. Ringing twice is ringing once.
    pub fn ring(&self) {
        self.notify(|notified| notified.others = true);
    }

    /// Likewise, for one shard.
    pub fn ring_for(&self, shard: ChainId) {
        self.notify(|notified| {
            if notified.shards.len() < NAMED_MAX {
                notified.shards.insert(shard);
            } else {
                notified.others = true;
            }
        });
    }

    fn notify(&self, note: impl FnOnce(&mut Notified)) {
        note(&mut self.notified.lock());
        self.bell.notify_one();
    }

    /// Takes the notifications out.
    pub(crate) fn take(&self) -> Notified {
        std::mem::take(&mut *self.notified.lock())
    }

    /// Sleeps until a notification, at most for `tick`. Returns true if a notification ended the
    /// sleep, which an already [taken](Self::take) one does not.
    pub async fn sleep(&self, tick: Duration) -> bool {
        let rung = async {
            loop {
                self.bell.notified().await;
                let notified = self.notified.lock();
                if notified.others || !notified.shards.is_empty() {
                    break;
                }
            }
        };
        tokio::time::timeout(tick, rung).await.is_ok()
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
        assert!(wake.sleep(Duration::from_mins(1)).await);
        assert!(!wake.sleep(Duration::ZERO).await);
    }

    #[tokio::test]
    async fn a_bell_that_has_been_heard_already_ends_no_sleep() {
        let wake = Wake::default();
        wake.ring_for(ChainId(1));
        wake.take();
        assert!(!wake.sleep(Duration::from_millis(1)).await);
        wake.ring_for(ChainId(1));
        wake.take();
        wake.ring_for(ChainId(2));
        assert!(wake.sleep(Duration::from_mins(1)).await);
    }
}
