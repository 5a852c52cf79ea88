//! The log's lines about a host that has its messages wait for long.

use std::time::Duration;

use tokio::time::Instant;

use super::pace::PAUSE_MAX;

/// Between two lines that begin: a host whose URLs have limits of their own pauses again and again.
const SAID_EVERY: Duration = Duration::from_mins(10);

/// The pauses of one host since it took a message last.
#[derive(Debug, Default)]
pub(super) struct LongPause {
    since: Option<Instant>,
    is_said: bool,
    said_at: Option<Instant>,
}

impl LongPause {
    /// The host asked for a pause. Returns true if that is worth a line: it asked for more than
    /// [`PAUSE_MAX`], or has paused for so long, and no line was said of it lately.
    pub(super) fn asked(&mut self, asked: Duration, now: Instant) -> bool {
        let since = *self.since.get_or_insert(now);
        let is_long = asked.max(now - since) > PAUSE_MAX;
        let was_said = self.said_at.is_some_and(|at| now - at < SAID_EVERY);
        if !is_long || self.is_said || was_said {
            return false;
        }
        (self.is_said, self.said_at) = (true, Some(now));
        true
    }

    /// The host took a message. Returns how long it had paused, if a line began.
    pub(super) fn taken(&mut self, now: Instant) -> Option<Duration> {
        let since = self.since.take()?;
        std::mem::take(&mut self.is_said).then(|| now - since)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn a_pause_of_more_than_a_minute_is_said_once_and_its_end() {
        let (mut pause, begun) = (LongPause::default(), Instant::now());
        assert!(!pause.asked(PAUSE_MAX, begun), "a short one");
        assert_eq!(pause.taken(begun), None);
        assert!(pause.asked(PAUSE_MAX + SECOND, begun));
        assert!(!pause.asked(PAUSE_MAX * 2, begun + SECOND));
        assert_eq!(pause.taken(begun + SECOND * 9), Some(SECOND * 9));
        assert_eq!(pause.taken(begun + SECOND * 9), None);
    }

    #[test]
    fn short_pauses_without_an_end_are_a_long_one() {
        let (mut pause, begun) = (LongPause::default(), Instant::now());
        let said = (0..200).filter(|&second| pause.asked(SECOND, begun + SECOND * second));
        assert_eq!(said.collect::<Vec<_>>(), [61]);
    }

    #[test]
    fn a_host_that_pauses_again_and_again_is_said_now_and_then() {
        let (mut pause, begun) = (LongPause::default(), Instant::now());
        let mut said = 0;
        for second in 0..1_200 {
            said += u32::from(pause.asked(PAUSE_MAX * 2, begun + SECOND * second));
            pause.taken(begun + SECOND * second);
        }
        assert_eq!(said, 2);
    }
}
