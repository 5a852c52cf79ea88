//! Which node is avoided, and for how long.

use std::time::Duration;

use parking_lot::Mutex;
use service::backoff::Backoff;
use tokio::time::Instant;

/// A node that has failed once is avoided for so long, then for twice as long, and so on.
const AVOIDED_FIRST: Duration = Duration::from_secs(1);
/// The longest. It is tried again then, even if another works: it may be the better one.
const AVOIDED_LONGEST: Duration = Duration::from_mins(5);
/// The waits after "not so fast" that does not say how long.
const LIMITED_FIRST: Duration = Duration::from_millis(500);
const LIMITED_LONGEST: Duration = Duration::from_secs(30);

/// What one node has lost or won.
#[derive(Debug)]
pub(crate) struct Favour(Mutex<CooldownState>);

#[derive(Debug)]
struct CooldownState {
    avoided_until: Option<Instant>,
    /// How long it is avoided after a failure.
    pauses: Backoff,
    limited_until: Option<Instant>,
    /// How long it is left alone after a "not so fast" that does not say.
    breaths: Backoff,
}

impl Favour {
    pub(crate) fn new() -> Self {
        Self(Mutex::new(CooldownState {
            avoided_until: None,
            pauses: Backoff::new(AVOIDED_FIRST, AVOIDED_LONGEST).with_jitter(0.25),
            limited_until: None,
            breaths: Backoff::new(LIMITED_FIRST, LIMITED_LONGEST),
        }))
    }

    /// Until when it is avoided; `None`: it is not.
    pub(crate) fn avoided_until(&self, now: Instant) -> Option<Instant> {
        self.0.lock().avoided_until.filter(|until| *until > now)
    }

    /// It failed. Of many questions that fail together, one counts.
    pub(crate) fn failed(&self, now: Instant) {
        let mut state = self.0.lock();
        if state.avoided_until.is_some_and(|until| until > now) {
            return;
        }
        state.avoided_until = Some(now + state.pauses.next_wait());
    }

    /// It answered. What fails every other time is not forgiven at once.
    pub(crate) fn worked(&self, now: Instant) {
        let mut state = self.0.lock();
        let (pause, breath) = (state.pauses.upcoming(), state.breaths.upcoming());
        if state.avoided_until.is_some_and(|until| now > until + pause) {
            state.avoided_until = None;
            state.pauses.reset();
        }
        if state.limited_until.is_some_and(|until| now > until + breath) {
            state.limited_until = None;
            state.breaths.reset();
        }
    }

    /// It is asked too fast, and wants to be left alone for `retry_after`.
    pub(crate) fn limited(&self, now: Instant, retry_after: Option<Duration>) {
        let mut state = self.0.lock();
        if state.limited_until.is_some_and(|until| until > now) {
            return;
        }
        let breath = state.breaths.next_wait();
        state.limited_until = Some(now + retry_after.unwrap_or(breath));
        if let Some(until) = state.limited_until {
            // For whoever has another node.
            state.avoided_until = state.avoided_until.max(Some(until));
        }
    }

    /// Waits until it may be asked again.
    pub(crate) async fn when_not_limited(&self) {
        let until = self.0.lock().limited_until;
        if let Some(until) = until {
            tokio::time::sleep_until(until).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_failing_node_is_avoided_ever_longer_until_it_works_long() {
        let (favour, mut now) = (Favour::new(), Instant::now());
        for expected_s in [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300] {
            favour.failed(now);
            // Of the same problem.
            favour.failed(now);
            let until = favour.avoided_until(now).expect("a time");
            let longest = Duration::from_secs(expected_s);
            assert!(until - now >= longest.mul_f64(0.75) && until - now <= longest);
            now = until;
            assert_eq!(favour.avoided_until(now), None);
            favour.worked(now + Duration::from_millis(1));
        }
        now += Duration::from_mins(20);
        favour.worked(now);
        favour.failed(now);
        assert!(favour.avoided_until(now).expect("a time") <= now + AVOIDED_FIRST);
    }

    #[tokio::test(start_paused = true)]
    async fn a_node_asked_too_fast_is_left_alone_as_it_says_or_longer() {
        let favour = Favour::new();
        for (retry_after_s, expected_ms) in [(Some(7), 7_000), (None, 1_000), (None, 2_000)] {
            let began = Instant::now();
            favour.limited(began, retry_after_s.map(Duration::from_secs));
            favour.when_not_limited().await;
            let waited = began.elapsed();
            assert!(waited.abs_diff(Duration::from_millis(expected_ms)) < Duration::from_millis(5));
        }
    }
}
