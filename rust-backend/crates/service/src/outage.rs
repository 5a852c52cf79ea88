//! A failure that lasts: the log tells of it as it begins and as it ends, not at each try between.

use std::time::Duration;

use tokio::time::Instant;

/// A failure that lasts, and the time of its last log line.
#[derive(Clone, Debug, Default)]
pub struct Outage {
    is_on: bool,
    has_turned: bool,
    said_at: Option<Instant>,
}

impl Outage {
    /// True if the latest try failed.
    pub fn is_on(&self) -> bool {
        self.is_on
    }

    /// A try failed. Returns true if the one before did not: then it is worth a line in the log.
    pub fn begins(&mut self) -> bool {
        !std::mem::replace(&mut self.is_on, true)
    }

    /// A try failed, in a way that is worth a line of its own where `turns`. Returns true as
    /// [`Self::begins`] does, and the first time that it turns.
    pub fn begins_or_turns(&mut self, turns: bool) -> bool {
        let is_first = turns && !std::mem::replace(&mut self.has_turned, true);
        self.begins() || is_first
    }

    /// A try failed at `now`. Returns true as [`Self::begins`] does, and again each time that
    /// `every` has passed since.
    pub fn begins_or_lasts(&mut self, now: Instant, every: Duration) -> bool {
        let is_due = self.said_at.is_none_or(|at| now.saturating_duration_since(at) >= every);
        let is_worth_a_line = self.begins() || is_due;
        if is_worth_a_line {
            self.said_at = Some(now);
        }
        is_worth_a_line
    }

    /// A try succeeded. Returns true if the one before failed: then it is worth a line in the log.
    pub fn ends(&mut self) -> bool {
        self.has_turned = false;
        std::mem::take(&mut self.is_on)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_is_said_once_and_so_is_its_end() {
        let mut outage = Outage::default();
        assert!(!outage.ends(), "nothing failed yet");
        for _ in 0..2 {
            assert!(outage.begins() && !outage.begins() && outage.is_on());
            assert!(outage.ends() && !outage.ends() && !outage.is_on());
        }
    }

    #[test]
    fn a_failure_that_turns_is_said_once_more() {
        let mut outage = Outage::default();
        for _ in 0..2 {
            assert!(outage.begins_or_turns(false) && !outage.begins_or_turns(false));
            assert!(outage.begins_or_turns(true) && !outage.begins_or_turns(true));
            assert!(outage.ends());
        }
        assert!(outage.begins_or_turns(true) && !outage.begins_or_turns(true));
    }

    #[test]
    fn a_failure_that_lasts_is_said_again_now_and_then() {
        let (mut outage, every, began) =
            (Outage::default(), Duration::from_mins(1), Instant::now());
        assert!(outage.begins_or_lasts(began, every));
        assert!(!outage.begins_or_lasts(began + every / 2, every));
        assert!(outage.begins_or_lasts(began + every, every));
        outage.ends();
        assert!(outage.begins_or_lasts(began + every, every), "it is another one");
    }
}
