//! Liveness and readiness of the process, for supervisors and load balancers.
//!
//! `/health` asks "should it be restarted?": 200 while every part gave a sign of life within its
//! limit, else 503. `/ready` asks "should it get work?": 200 while every part says that it is
//! ready. Both answer in JSON and name the parts that are missing; `/ready` also names the
//! problems of a part, and is 503 where one of them stops its work.

mod connections;
mod server;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use crate::escape::escape;

pub use self::connections::ConnectionLimits;
pub use self::server::{BindError, DefaultPort, HealthServer, start};

/// Characters of a problem: errors are others' text.
const SAYS_CHARS_MAX: usize = 1_000;

/// The parts of a process. Clones share them.
#[derive(Clone, Debug)]
pub struct Health {
    begun: Instant,
    parts: Arc<Mutex<Vec<Arc<Part>>>>,
}

/// One part's health handle. Clones are of the same part. When the last one is dropped without
/// [`Self::retire`], as in a panic, the part is missed after its limit.
#[derive(Clone, Debug)]
pub struct Heartbeat {
    begun: Instant,
    part: Arc<Part>,
}

#[derive(Debug)]
struct Part {
    name: &'static str,
    limit: Duration,
    /// Milliseconds since the process's begin.
    beaten_ms: AtomicU64,
    ready: AtomicBool,
    retired: AtomicBool,
    /// The reason why it is not ready any more.
    lacks: Mutex<Option<String>>,
    problem: Mutex<Option<PartProblem>>,
}

/// A problem of a part that runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartProblem {
    /// A sentence. It may hold strangers' text.
    pub says: String,
    /// True if it stops the part's work; otherwise it only costs.
    pub stops: bool,
}

impl Default for Health {
    /// No parts yet: healthy and ready.
    fn default() -> Self {
        Self { begun: Instant::now(), parts: Arc::default() }
    }
}

impl Health {
    /// Adds a part that promises a sign of life at least every `limit`. Its time runs from now.
    pub fn register(&self, name: &'static str, limit: Duration) -> Heartbeat {
        let part = Arc::new(Part {
            name,
            limit,
            beaten_ms: AtomicU64::new(0),
            ready: AtomicBool::new(false),
            retired: AtomicBool::new(false),
            lacks: Mutex::default(),
            problem: Mutex::default(),
        });
        self.parts.lock().push(Arc::clone(&part));
        let heartbeat = Heartbeat { begun: self.begun, part };
        heartbeat.beat();
        heartbeat
    }

    /// The parts whose last sign of life is too old.
    pub fn stalled(&self) -> Vec<&'static str> {
        self.stalled_at(Instant::now())
    }

    /// The parts that are not ready yet.
    pub fn unready(&self) -> Vec<&'static str> {
        self.names(|part| !part.ready.load(Ordering::Relaxed))
    }

    /// The problems of the parts.
    pub fn problems(&self) -> Vec<(&'static str, PartProblem)> {
        let parts = self.parts.lock();
        let working = parts.iter().filter(|part| !part.retired.load(Ordering::Relaxed));
        working.flat_map(|part| part.problems().map(|problem| (part.name, problem))).collect()
    }

    fn stalled_at(&self, now: Instant) -> Vec<&'static str> {
        let now = now.saturating_duration_since(self.begun);
        self.names(|part| {
            let beaten = Duration::from_millis(part.beaten_ms.load(Ordering::Relaxed));
            now.saturating_sub(beaten) > part.limit
        })
    }

    fn names(&self, is_missing: impl Fn(&Part) -> bool) -> Vec<&'static str> {
        let parts = self.parts.lock();
        let working = parts.iter().filter(|part| !part.retired.load(Ordering::Relaxed));
        working.filter(|part| is_missing(part)).map(|part| part.name).collect()
    }
}

impl Heartbeat {
    /// Gives a sign of life. Costs next to nothing: call it in every turn of a loop.
    pub fn beat(&self) {
        self.beat_at(Instant::now());
    }

    /// Says that this part is ready for work.
    pub fn ready(&self) {
        if !self.part.ready.swap(true, Ordering::Relaxed) {
            *self.part.lacks.lock() = None;
        }
    }

    /// Says that this part is not ready for work any more, and why, until it says [`Self::ready`]
    /// again.
    pub fn unready(&self, why: &str) {
        *self.part.lacks.lock() = Some(escape(why, SAYS_CHARS_MAX).to_string());
        self.part.ready.store(false, Ordering::Relaxed);
    }

    /// Sets the problem of this part; `None` once it has no more.
    pub fn set_problem(&self, problem: Option<PartProblem>) {
        *self.part.problem.lock() = problem;
    }

    /// Ends this part as it should end: no sign of life is expected any more.
    pub fn retire(self) {
        self.part.retired.store(true, Ordering::Relaxed);
    }

    fn beat_at(&self, now: Instant) {
        let since = now.saturating_duration_since(self.begun).as_millis();
        let since = u64::try_from(since).unwrap_or(u64::MAX);
        self.part.beaten_ms.fetch_max(since, Ordering::Relaxed);
    }
}

impl Part {
    fn problems(&self) -> impl Iterator<Item = PartProblem> {
        let lacks = self.lacks.lock().clone().map(|says| PartProblem { says, stops: true });
        lacks.into_iter().chain(self.problem.lock().clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Duration = Duration::from_secs(5);

    #[test]
    fn a_part_is_missed_after_its_limit_and_not_before() {
        let health = Health::default();
        let wheel = health.register("wheel", LIMIT);
        let begun = health.begun;
        assert!(health.stalled_at(begun + LIMIT).is_empty());
        assert_eq!(health.stalled_at(begun + LIMIT + LIMIT), ["wheel"]);

        wheel.beat_at(begun + LIMIT + LIMIT);
        assert!(health.stalled_at(begun + LIMIT + LIMIT).is_empty());
    }

    #[test]
    fn a_late_beat_of_another_task_does_not_turn_the_clock_back() {
        let health = Health::default();
        let one = health.register("wheel", LIMIT);
        let other = one.clone();
        one.beat_at(health.begun + LIMIT);
        other.beat_at(health.begun);
        assert!(health.stalled_at(health.begun + LIMIT + LIMIT).is_empty());
    }

    #[test]
    fn a_part_that_panicked_is_missed_and_one_that_retired_is_not() {
        let health = Health::default();
        drop(health.register("panicked", LIMIT));
        health.register("retired", LIMIT).retire();
        let later = health.begun + 3 * LIMIT;
        assert_eq!(health.stalled_at(later), ["panicked"]);
    }

    #[test]
    fn readiness_waits_for_the_last_part() {
        let health = Health::default();
        let (one, other) = (health.register("one", LIMIT), health.register("other", LIMIT));
        one.ready();
        assert_eq!(health.unready(), ["other"]);
        other.ready();
        assert!(health.unready().is_empty());
        one.unready("its store is away");
        assert_eq!(health.unready(), ["one"]);
        assert_eq!(health.problems()[0].1.says, "its store is away");
        one.ready();
        assert!(health.problems().is_empty());
    }
}
