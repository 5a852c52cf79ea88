//! The health of one node: whether it is avoided, and how fast it is asked.

use std::time::Duration;

use parking_lot::Mutex;
use service::backoff::Backoff;
use tokio::time::Instant;

use crate::rpc::rate::LearnedRate;

/// A node that has failed once is avoided for so long, then for twice as long, and so on.
const AVOIDED_FIRST: Duration = Duration::from_secs(1);
/// The longest. It is tried again then, even if another works: it may be the better one.
const AVOIDED_LONGEST: Duration = Duration::from_mins(5);
/// The waits after "too fast" that does not say how long: short, because the next answer shows
/// whether the wait was enough.
const LIMITED_FIRST: Duration = Duration::from_millis(250);
const LIMITED_LONGEST: Duration = Duration::from_secs(15);

/// Successes and failures of one node.
#[derive(Debug)]
pub(crate) struct NodeHealth(Mutex<HealthState>);

#[derive(Debug)]
struct HealthState {
    avoided_until: Option<Instant>,
    /// Pauses after failures.
    pauses: Backoff,
    limited_until: Option<Instant>,
    /// True if the node said itself how long it wants to be left alone.
    said_how_long: bool,
    /// Pauses after "too fast".
    breaths: Backoff,
    rate: LearnedRate,
}

impl HealthState {
    /// An answer after the wait: the wait was long enough.
    fn was_heard(&mut self, now: Instant) {
        if self.limited_until.is_some_and(|until| now >= until) {
            self.limited_until = None;
            self.breaths.reset();
        }
    }
}

impl NodeHealth {
    pub(crate) fn new() -> Self {
        Self(Mutex::new(HealthState {
            avoided_until: None,
            pauses: Backoff::new(AVOIDED_FIRST, AVOIDED_LONGEST).with_jitter(0.25),
            limited_until: None,
            said_how_long: false,
            breaths: Backoff::new(LIMITED_FIRST, LIMITED_LONGEST),
            rate: LearnedRate::new(Instant::now()),
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

    /// It answered a number of questions. A node that fails every other time is not forgiven at
    /// once.
    pub(crate) fn answered(&self, questions: usize, now: Instant) {
        let mut state = self.0.lock();
        state.rate.answered(questions, now);
        let pause = state.pauses.upcoming();
        if state.avoided_until.is_some_and(|until| now > until + pause) {
            state.avoided_until = None;
            state.pauses.reset();
        }
        state.was_heard(now);
    }

    /// It refused a question, and not because it was asked too fast.
    pub(crate) fn heard(&self, now: Instant) {
        self.0.lock().was_heard(now);
    }

    /// It was left alone, and still refuses the same: then not because it is asked too fast. A wait
    /// that it asked for itself is kept.
    pub(crate) fn was_left_alone_in_vain(&self) {
        let mut state = self.0.lock();
        if !state.said_how_long {
            state.limited_until = None;
        }
        state.breaths.reset();
    }

    /// It refused a question and answered the same a little later: perhaps it was asked too fast.
    pub(crate) fn bore_too_much(&self, now: Instant) {
        self.0.lock().rate.limited(now);
    }

    /// It is asked too fast, and wants to be left alone for `retry_after`.
    pub(crate) fn limited(&self, now: Instant, retry_after: Option<Duration>) {
        let mut state = self.0.lock();
        state.rate.limited(now);
        if state.limited_until.is_some_and(|until| until > now) {
            return;
        }
        let breath = state.breaths.next_wait();
        let until = now + retry_after.unwrap_or(breath);
        state.limited_until = Some(until);
        state.said_how_long = retry_after.is_some();
        // Another node is asked meanwhile.
        state.avoided_until = state.avoided_until.max(Some(until));
    }

    /// Waits until so many questions may be asked.
    pub(crate) async fn turn(&self, questions: usize) {
        while let Some(until) = self.limited_until() {
            tokio::time::sleep_until(until).await;
        }
        let at = self.0.lock().rate.turn(questions, Instant::now());
        tokio::time::sleep_until(at).await;
    }

    fn limited_until(&self) -> Option<Instant> {
        self.0.lock().limited_until.filter(|until| *until > Instant::now())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_failing_node_is_avoided_ever_longer_until_it_works_long() {
        let (health, mut now) = (NodeHealth::new(), Instant::now());
        for expected_s in [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300] {
            health.failed(now);
            // Of the same problem.
            health.failed(now);
            let until = health.avoided_until(now).expect("a time");
            let longest = Duration::from_secs(expected_s);
            assert!(until - now >= longest.mul_f64(0.75) && until - now <= longest);
            now = until;
            assert_eq!(health.avoided_until(now), None);
            health.answered(1, now + Duration::from_millis(1));
        }
        now += Duration::from_mins(20);
        health.answered(1, now);
        health.failed(now);
        assert!(health.avoided_until(now).expect("a time") <= now + AVOIDED_FIRST);
    }

    #[tokio::test(start_paused = true)]
    async fn a_node_asked_too_fast_is_left_alone_as_it_says_or_longer() {
        let health = NodeHealth::new();
        for (retry_after_s, expected_ms) in [(Some(7), 7_000), (None, 500), (None, 1_000)] {
            let began = Instant::now();
            health.limited(began, retry_after_s.map(Duration::from_secs));
            health.turn(1).await;
            let waited = began.elapsed();
            assert!(waited.abs_diff(Duration::from_millis(expected_ms)) < Duration::from_millis(5));
        }
        // An answer: the next wait is short again.
        health.answered(1, Instant::now());
        let began = Instant::now();
        health.limited(began, None);
        health.turn(1).await;
        assert!(began.elapsed() < Duration::from_millis(300), "{:?}", began.elapsed());
    }

    #[tokio::test(start_paused = true)]
    async fn a_wait_that_a_node_asked_for_is_kept_whatever_it_refuses() {
        for (retry_after, waits) in [(Some(Duration::from_secs(30)), true), (None, false)] {
            let (health, began) = (NodeHealth::new(), Instant::now());
            health.limited(began, retry_after);
            health.was_left_alone_in_vain();
            health.turn(1).await;
            assert_eq!(began.elapsed() >= Duration::from_secs(30), waits);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn refusals_by_chance_do_not_slow_a_node_below_its_chain() {
        let (health, began) = (NodeHealth::new(), Instant::now());
        for question in 1..=1_000 {
            health.turn(1).await;
            let now = Instant::now();
            if question % 10 == 0 {
                health.limited(now, None);
            } else {
                health.answered(1, now);
            }
        }
        // 4 questions for a block a second.
        assert!(began.elapsed() < Duration::from_secs(250), "{:?}", began.elapsed());
    }
}
