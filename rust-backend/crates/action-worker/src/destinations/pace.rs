//! The pace of one origin: a pause that its host asks for is the host's, and delays all of its
//! messages. The waiting ones come back as fast as the host took messages before.
//!
//! A long pause may be meant for one URL of the host alone. The message that met it waits as long
//! as was asked for; the others until a first of them may try whether it holds for them, too.

use std::time::Duration;

use event_engine::delivery::retry::RETRY_AFTER_MAX;
use tokio::time::Instant;

use crate::shared_backoff::SharedBackoff;

/// The first pause, unless a longer one is asked for.
const PAUSE_MIN: Duration = Duration::from_secs(1);
/// The longest pause of a whole host, however long a message is told to wait.
pub(super) const PAUSE_MAX: Duration = Duration::from_mins(1);
const PAUSES: SharedBackoff = SharedBackoff::new(PAUSE_MIN, PAUSE_MAX);
/// The longest time over which the messages that waited for a pause come back.
const SPREAD_MAX: Duration = Duration::from_secs(30);
/// Time over which taken messages are counted.
const WINDOW: Duration = Duration::from_secs(1);

/// The latest pause of an origin, and how many messages it takes.
#[derive(Debug)]
pub(super) struct Pace {
    until: Option<Instant>,
    /// A longer one was asked for: a message that is taken ends it.
    is_cut: bool,
    /// A message was ever taken.
    has_taken: bool,
    backoff: SharedBackoff,
    /// Messages taken in a second before the latest pause.
    rate: u32,
    taken_since: u32,
    turned_away: u32,
    window: PaceWindow,
}

/// Messages taken in this second and the one before.
#[derive(Debug)]
struct PaceWindow {
    began: Instant,
    taken: u32,
    taken_before: u32,
}

impl Pace {
    pub(super) fn new(now: Instant) -> Self {
        let window = PaceWindow { began: now, taken: 0, taken_before: 0 };
        Self {
            until: None,
            is_cut: false,
            has_taken: false,
            backoff: PAUSES,
            rate: 1,
            taken_since: 0,
            turned_away: 0,
            window,
        }
    }

    /// The host asks for a pause. Returns the time after which the message that met it comes back:
    /// behind the ones that only wait, so that a message which always meets one does not stop them,
    /// and at most twice [`SPREAD_MAX`] later than was asked for or the pause ends.
    pub(super) fn pause(&mut self, asked: Duration, now: Instant) -> Duration {
        let (asked, own) = (asked.min(RETRY_AFTER_MAX), self.backoff.wait(now));
        let is_cut = asked > PAUSE_MAX;
        let length = match is_cut {
            false => asked.max(own),
            // It takes messages, so that the next of another URL may well be taken.
            true if self.has_taken => own,
            true => PAUSE_MAX,
        };
        if !self.is_on(now) {
            self.window.turn(now);
            self.rate = self.window.taken.max(self.window.taken_before).max(1);
            (self.taken_since, self.turned_away, self.is_cut) = (0, 0, is_cut);
        }
        self.is_cut &= is_cut;
        let until = self.until.map_or(now, |until| until.max(now)).max(now + length);
        self.until = Some(until);
        (until - now).max(asked) + length.min(SPREAD_MAX) + self.spread()
    }

    /// True during a pause.
    pub(super) fn is_on(&self, now: Instant) -> bool {
        self.until.is_some_and(|until| now < until)
    }

    /// The rest of a pause, for a message that asks during it: longer for each one.
    pub(super) fn rest(&mut self, now: Instant) -> Option<Duration> {
        let until = self.until.filter(|_| self.is_on(now))?;
        Some(until - now + self.spread())
    }

    /// Messages that may be under way together after a pause: as many as were taken in a second,
    /// and one more for each that was taken since; a first one where a longer pause was asked for.
    pub(super) fn places(&self) -> usize {
        let first = if self.is_cut { 1 } else { self.rate };
        match self.until {
            None => usize::MAX,
            Some(_) => first.saturating_add(self.taken_since) as usize,
        }
    }

    /// A message was taken.
    pub(super) fn taken(&mut self, now: Instant) {
        self.window.turn(now);
        self.window.taken = self.window.taken.saturating_add(1);
        self.taken_since = self.taken_since.saturating_add(1);
        (self.has_taken, self.backoff) = (true, PAUSES);
        if self.is_cut {
            self.until = self.until.map(|until| until.min(now));
        }
    }

    fn spread(&mut self) -> Duration {
        let turned_away = self.turned_away;
        self.turned_away = turned_away.saturating_add(1);
        Duration::from_secs_f64(f64::from(turned_away) / f64::from(self.rate)).min(SPREAD_MAX)
    }
}

impl PaceWindow {
    fn turn(&mut self, now: Instant) {
        let age = now.saturating_duration_since(self.began);
        if age >= WINDOW {
            self.taken_before = if age < WINDOW * 2 { self.taken } else { 0 };
            (self.began, self.taken) = (now, 0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn those_who_wait_for_a_pause_come_back_at_the_pace_before_it() {
        let now = Instant::now();
        let mut pace = Pace::new(now);
        assert_eq!((pace.rest(now), pace.places()), (None, usize::MAX));
        (0..10).for_each(|_| pace.taken(now));
        pace.pause(Duration::from_secs(3), now);
        let rests: Vec<_> = (0..400).map(|_| pace.rest(now).expect("a pause")).collect();
        let (first, last) = (rests[0], rests[399]);
        assert!(first >= SECOND * 3 && first <= SECOND * 4, "{first:?}");
        assert_eq!(rests[10], first + SECOND, "ten in a second");
        assert_eq!(last, SECOND * 3 + SPREAD_MAX, "and not too late");
        let over = now + SECOND * 3;
        assert_eq!((pace.rest(over), pace.places()), (None, 10));
        pace.taken(over);
        assert_eq!(pace.places(), 11, "more while it takes more");
    }

    #[test]
    fn a_pause_is_as_long_as_asked_and_longer_while_none_is_taken() {
        let mut now = Instant::now();
        let mut pace = Pace::new(now);
        let mut lengths = Vec::new();
        for _ in 0..8 {
            pace.pause(Duration::ZERO, now);
            let rest = pace.until.expect("a pause") - now;
            lengths.push(rest.as_secs());
            now += rest;
        }
        assert_eq!(lengths, [1, 2, 4, 8, 16, 32, 60, 60]);
        pace.pause(PAUSE_MAX, now);
        assert!(pace.rest(now).expect("a pause") >= PAUSE_MAX);
        now += PAUSE_MAX;
        pace.taken(now);
        pace.pause(Duration::ZERO, now);
        assert_eq!(pace.until, Some(now + SECOND));
    }

    #[test]
    fn a_message_waits_as_long_as_asked_and_little_longer() {
        let now = Instant::now();
        for asked_s in [0, 1, 7, 30, 60, 61, 3_600, 86_400, 400_000] {
            let (mut pace, asked) = (Pace::new(now), Duration::from_secs(asked_s));
            let at_least = asked.clamp(PAUSE_MIN, RETRY_AFTER_MAX);
            for _ in 0..100 {
                let wait = pace.pause(asked, now);
                let bounds = at_least..=at_least + SPREAD_MAX * 2;
                assert!(bounds.contains(&wait), "{wait:?} of {asked:?}");
            }
        }
    }

    #[test]
    fn a_long_pause_of_one_url_is_a_short_one_of_its_host() {
        let (hour, mut now) = (Duration::from_hours(1), Instant::now());
        let mut pace = Pace::new(now);
        assert!(pace.pause(hour, now) >= hour, "the message waits");
        assert_eq!(pace.until, Some(now + PAUSE_MAX), "nothing was ever taken there");
        now += PAUSE_MAX;
        assert_eq!((pace.rest(now), pace.places()), (None, 1), "a first one tries");
        pace.taken(now);
        assert!(pace.pause(hour, now) >= hour);
        assert_eq!(pace.until, Some(now + SECOND), "the host takes others");
        pace.taken(now);
        assert_eq!(pace.rest(now), None, "as one that was under way shows");
    }

    #[test]
    fn a_message_that_is_taken_ends_no_pause_that_is_the_hosts() {
        let now = Instant::now();
        for asked in [[SECOND, SECOND * 3_600], [SECOND * 3_600, SECOND]] {
            let mut pace = Pace::new(now);
            for asked in asked {
                pace.pause(asked, now);
            }
            pace.taken(now);
            assert!(pace.rest(now) >= Some(SECOND), "{asked:?}");
        }
    }

    #[test]
    fn a_message_that_always_meets_a_pause_comes_behind_the_others() {
        let mut now = Instant::now();
        let mut pace = Pace::new(now);
        for _ in 0..5 {
            let poison = pace.pause(SECOND, now);
            let others: Vec<_> = (0..2).map(|_| pace.rest(now).expect("a pause")).collect();
            assert!(others[0] <= poison, "{others:?} {poison:?}");
            now += poison;
            pace.taken(now);
        }
    }
}
