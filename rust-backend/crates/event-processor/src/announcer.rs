//! Logs arriving events: each one while they are few, a count per second beyond that.

use std::sync::Arc;
use std::time::Duration;

use event_engine::event::Event;
use parking_lot::Mutex;
use service::escape::escape;
use tokio::time::Instant;

/// Events a second that are named one by one.
const NAMED_MAX: u32 = 100;
const SECOND: Duration = Duration::from_secs(1);
/// Characters of an id that are shown.
const ID_CHARS_MAX: usize = 200;

/// Names or counts events. Clones share one count.
#[derive(Clone, Debug, Default)]
pub(crate) struct Announcer {
    received: Arc<Mutex<NamingLimit>>,
    processed: Arc<Mutex<NamingLimit>>,
}

impl Announcer {
    /// Logs a notification that named this event.
    pub(crate) fn received(&self, event_id: &str) {
        let (is_named, unnamed) = self.received.lock().next(Instant::now());
        if unnamed > 0 {
            tracing::debug!("Received {unnamed} more notifications");
        }
        if is_named {
            tracing::debug!("Received notification for event: {}", escape(event_id, ID_CHARS_MAX));
        }
    }

    /// Logs a judged event.
    pub(crate) fn processed(&self, event: &Event) {
        let (is_named, unnamed) = self.processed.lock().next(Instant::now());
        summarise(unnamed);
        if is_named {
            tracing::info!(
                "Processing event: {} (chain_id={}, registry={}, event_type={})",
                escape(&event.name.id, ID_CHARS_MAX),
                event.chain_id,
                escape(&event.registry, ID_CHARS_MAX),
                escape(&event.event_type, ID_CHARS_MAX),
            );
        }
    }

    /// Logs the count that is due, so that the last events of a burst are not left out.
    pub(crate) fn settle(&self) {
        summarise(self.processed.lock().close(Instant::now()));
    }
}

fn summarise(unnamed: u32) {
    if unnamed > 0 {
        tracing::info!("Processed {unnamed} more events");
    }
}

/// The events of one second.
#[derive(Debug)]
struct NamingLimit {
    began: Instant,
    named: u32,
    unnamed: u32,
}

impl Default for NamingLimit {
    fn default() -> Self {
        Self::new(Instant::now())
    }
}

impl NamingLimit {
    fn new(now: Instant) -> Self {
        Self { began: now, named: 0, unnamed: 0 }
    }

    /// Counts an event. Returns true if it is to be named, and the number of events that the second
    /// before did not name.
    fn next(&mut self, now: Instant) -> (bool, u32) {
        let unnamed = self.close(now);
        let is_named = self.named < NAMED_MAX;
        *if is_named { &mut self.named } else { &mut self.unnamed } += 1;
        (is_named, unnamed)
    }

    /// Ends the second if it is over. Returns the number of events that it did not name.
    fn close(&mut self, now: Instant) -> u32 {
        if now.duration_since(self.began) < SECOND {
            return 0;
        }
        std::mem::replace(self, Self::new(now)).unnamed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn beyond_a_hundred_a_second_events_are_counted_not_named() {
        let start = Instant::now();
        let mut limit = NamingLimit::new(start);
        let named = (0..250).filter(|_| limit.next(start).0).count();
        assert_eq!(named, 100);
        let next = limit.next(start + SECOND);
        assert_eq!(next, (true, 150));
    }

    #[test]
    fn the_rest_of_a_burst_is_told_although_nothing_follows() {
        let start = Instant::now();
        let mut limit = NamingLimit::new(start);
        for _ in 0..101 {
            limit.next(start);
        }
        assert_eq!(limit.close(start), 0);
        assert_eq!(limit.close(start + SECOND), 1);
        assert_eq!(limit.close(start + 2 * SECOND), 0);
    }
}
