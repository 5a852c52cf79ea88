//! Says in the log what arrives: each event while there are few, a summary a second beyond that.

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

/// Counts and names what arrives. Clones share one count.
#[derive(Clone, Debug)]
pub(crate) struct Announcer {
    received: Arc<Mutex<Window>>,
    processed: Arc<Mutex<Window>>,
}

impl Default for Announcer {
    fn default() -> Self {
        let window = || Arc::new(Mutex::new(Window::new(Instant::now())));
        Self { received: window(), processed: window() }
    }
}

impl Announcer {
    /// A notification named this event.
    pub(crate) fn received(&self, event_id: &str) {
        let turn = turn(&self.received);
        if turn.unnamed > 0 {
            tracing::debug!("Received {} more notifications", turn.unnamed);
        }
        if turn.name {
            tracing::debug!("Received notification for event: {}", escape(event_id, ID_CHARS_MAX));
        }
    }

    /// This event was judged.
    pub(crate) fn processed(&self, event: &Event) {
        let turn = turn(&self.processed);
        summarise(turn.unnamed);
        if turn.name {
            tracing::info!(
                "Processing event: {} (chain_id={}, registry={}, event_type={})",
                escape(&event.name.id, ID_CHARS_MAX),
                event.chain_id,
                escape(&event.registry, ID_CHARS_MAX),
                escape(&event.event_type, ID_CHARS_MAX),
            );
        }
    }

    /// Says what has not been said yet, so that the last events of a burst are not left out.
    pub(crate) fn settle(&self) {
        let now = Instant::now();
        let unnamed = self.processed.lock().close(now);
        summarise(unnamed);
    }
}

fn summarise(unnamed: u32) {
    if unnamed > 0 {
        tracing::info!("Processed {unnamed} more events");
    }
}

fn turn(window: &Mutex<Window>) -> Turn {
    window.lock().turn(Instant::now())
}

/// One second of what arrives.
#[derive(Debug)]
struct Window {
    began: Instant,
    named: u32,
    unnamed: u32,
}

/// What to say about one arrival.
#[derive(Debug, PartialEq, Eq)]
struct Turn {
    /// Name it.
    name: bool,
    /// How many of the second before were not named.
    unnamed: u32,
}

impl Window {
    fn new(now: Instant) -> Self {
        Self { began: now, named: 0, unnamed: 0 }
    }

    fn turn(&mut self, now: Instant) -> Turn {
        let unnamed = self.close(now);
        let name = self.named < NAMED_MAX;
        if name {
            self.named += 1;
        } else {
            self.unnamed += 1;
        }
        Turn { name, unnamed }
    }

    /// Ends the second if it is over, and tells how many it did not name.
    fn close(&mut self, now: Instant) -> u32 {
        if now.duration_since(self.began) < SECOND {
            return 0;
        }
        let unnamed = self.unnamed;
        *self = Self::new(now);
        unnamed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn beyond_a_hundred_a_second_events_are_counted_instead_of_named() {
        let start = Instant::now();
        let mut window = Window::new(start);
        let named = (0..250).filter(|_| window.turn(start).name).count();
        assert_eq!(named, 100);
        let next = window.turn(start + SECOND);
        assert_eq!(next, Turn { name: true, unnamed: 150 });
    }

    #[test]
    fn the_rest_of_a_burst_is_told_although_nothing_follows() {
        let start = Instant::now();
        let mut window = Window::new(start);
        for _ in 0..101 {
            window.turn(start);
        }
        assert_eq!(window.close(start), 0);
        assert_eq!(window.close(start + SECOND), 1);
        assert_eq!(window.close(start + 2 * SECOND), 0);
    }
}
