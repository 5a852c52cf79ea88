//! Rates at which a chain's nodes are asked: the operator's, and the rate that a node bears.

use std::collections::VecDeque;
use std::num::NonZeroU32;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

/// Questions that may have been saved up, as time.
const BURST: Duration = Duration::from_secs(1);
/// Answers are counted in slots of this length.
const SLOT: Duration = Duration::from_secs(1);
/// Slots, of which the fullest is the rate that a node bears: chance spoils a single one.
const SLOTS: usize = 8;
/// Share by which a node is asked faster than it has answered, so that a limit that rises is
/// noticed, and refusals by chance slow nothing: at a limit one question in five is refused.
const PROBE: f64 = 1.25;
/// Questions a second that a node is asked in any case.
const SLOWEST: f64 = 4.0;
/// Questions that may have been saved up: those of a block at the head do not wait for each other.
const SAVED: f64 = 6.0;
/// A node that has refused nothing for so long is asked as fast as it goes.
const FORGOTTEN_AFTER: Duration = Duration::from_secs(30);

/// The operator's `requests_per_second`: a bucket that fills with it, and holds those of a second.
#[derive(Debug)]
pub(crate) struct RateLimit(Option<Bucket>);

#[derive(Debug)]
struct Bucket {
    per_second: NonZeroU32,
    /// The time at which the bucket would be full again, without further questions.
    full_at: Mutex<Instant>,
}

impl RateLimit {
    /// `None`: as fast as it goes.
    pub(crate) fn new(requests_per_second: Option<NonZeroU32>) -> Self {
        let bucket = |per_second| Bucket { per_second, full_at: Mutex::new(Instant::now()) };
        Self(requests_per_second.map(bucket))
    }

    /// Questions that may be asked at once; `None` if no limit is set.
    pub(crate) fn questions_at_once(&self) -> Option<u64> {
        self.0.as_ref().map(|bucket| bucket.per_second.get().into())
    }

    /// Waits until so many questions may be asked. Who comes first is served first.
    pub(crate) async fn turn(&self, questions: usize) {
        let Some(bucket) = &self.0 else { return };
        let each = Duration::from_secs(1) / bucket.per_second.get();
        let cost = each * u32::try_from(questions).unwrap_or(u32::MAX);
        let begin = {
            let mut full_at = bucket.full_at.lock();
            *full_at = (*full_at).max(Instant::now()) + cost;
            // A batch that is larger than the bucket is paid afterwards.
            *full_at - BURST.max(cost)
        };
        tokio::time::sleep_until(begin).await;
    }
}

/// The rate that one node bears, as its answers show. Nothing is limited until the node has said
/// "too fast". Then it is asked a little faster than it has answered lately: where its refusals
/// come from the rate, few are left; where they come from chance, little is lost.
#[derive(Debug)]
pub(crate) struct LearnedRate {
    limited_at: Option<Instant>,
    /// Beginning and answers of each slot, the newest last.
    slots: VecDeque<(Instant, u32)>,
    /// The earliest time of the next question.
    next_at: Instant,
}

impl LearnedRate {
    pub(crate) fn new(now: Instant) -> Self {
        Self { limited_at: None, slots: VecDeque::with_capacity(SLOTS), next_at: now }
    }

    /// A number of questions was answered.
    pub(crate) fn answered(&mut self, questions: usize, now: Instant) {
        let questions = u32::try_from(questions).unwrap_or(u32::MAX);
        match self.slots.back_mut() {
            Some((began, answers)) if now < *began + SLOT => *answers += questions,
            _ => {
                if self.slots.len() == SLOTS {
                    self.slots.pop_front();
                }
                self.slots.push_back((now, questions));
            }
        }
    }

    /// The node has said "too fast".
    pub(crate) fn limited(&mut self, now: Instant) {
        self.limited_at = Some(now);
    }

    /// The time at which so many questions may be asked, which this call takes.
    pub(crate) fn turn(&mut self, questions: usize, now: Instant) -> Instant {
        if self.limited_at.is_none_or(|at| now > at + FORGOTTEN_AFTER) {
            return now;
        }
        // A slot under way says little, unless it is the only one.
        let is_over = |(began, _): &&(Instant, u32)| now >= *began + SLOT;
        let fullest = self.slots.iter().filter(is_over).map(|(_, answers)| *answers).max();
        let fullest = fullest.map(f64::from).or_else(|| {
            let (began, answers) = self.slots.back()?;
            Some(f64::from(*answers) / (now - *began).as_secs_f64().max(0.001))
        });
        let per_second = (fullest.unwrap_or_default() * PROBE).max(SLOWEST);
        let saved = Duration::from_secs_f64(SAVED / per_second);
        let at = self.next_at.max(now.checked_sub(saved).unwrap_or(now));
        let questions = f64::from(u32::try_from(questions).unwrap_or(u32::MAX));
        self.next_at = at + Duration::from_secs_f64(questions / per_second);
        at.max(now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn seconds_for(limit: &RateLimit, turns: u32, questions: usize) -> f64 {
        let began = Instant::now();
        for _ in 0..turns {
            limit.turn(questions).await;
        }
        began.elapsed().as_secs_f64()
    }

    #[tokio::test(start_paused = true)]
    async fn the_operators_limit_holds_beside_one_seconds_savings() {
        let limit = RateLimit::new(NonZeroU32::new(10));
        assert!(seconds_for(&limit, 10, 1).await < 0.01);
        assert!((seconds_for(&limit, 30, 1).await - 3.0).abs() < 0.05);
        // A batch counts what is in it.
        assert!((seconds_for(&limit, 4, 10).await - 4.0).abs() < 0.2);
        assert!(seconds_for(&RateLimit::new(None), 10_000, 100).await < 0.01);
    }

    /// Asks for a while as fast as the rate allows; questions answered a second, and the share that
    /// was refused.
    fn asked(seconds: u32, mut is_too_fast: impl FnMut(Duration, u32) -> bool) -> (f64, f64) {
        let began = Instant::now();
        let (mut rate, mut now) = (LearnedRate::new(began), began);
        let (mut answered, mut refused) = (0_u32, 0_u32);
        let end = began + Duration::from_secs(seconds.into());
        let (mut second, mut in_second) = (0, 0);
        while now < end {
            if (now - began).as_secs() > second {
                (second, in_second) = ((now - began).as_secs(), 0);
            }
            if is_too_fast(now - began, in_second) {
                refused += 1;
                rate.limited(now);
            } else {
                answered += 1;
                in_second += 1;
                rate.answered(1, now);
            }
            // No node answers faster.
            now = rate.turn(1, now + Duration::from_millis(5));
        }
        let asked = f64::from(answered + refused);
        (f64::from(answered) / f64::from(seconds), f64::from(refused) / asked)
    }

    #[test]
    fn a_node_is_asked_at_its_limit_and_seldom_refuses() {
        for (limit, share) in [(5_u32, 0.4), (20, 0.3), (100, 0.3)] {
            let (per_second, refused) = asked(60, |_, in_second| in_second >= limit);
            assert!(per_second > f64::from(limit) * 0.85, "{per_second} of {limit}");
            assert!(refused < share, "{refused} refused with a limit of {limit}");
        }
    }

    #[test]
    fn a_node_that_refuses_by_chance_is_not_asked_ever_slower() {
        let mut counter = 0_u32;
        let (per_second, _) = asked(60, |_, _| {
            counter += 1;
            counter.is_multiple_of(10)
        });
        assert!(per_second > 50.0, "{per_second}");
    }

    #[test]
    fn a_limit_that_is_lifted_is_forgotten() {
        let lifted = |since: Duration, in_second| since.as_secs() < 10 && in_second >= 5;
        let (per_second, _) = asked(70, lifted);
        assert!(per_second > 70.0, "{per_second}");
    }
}
