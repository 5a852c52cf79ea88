//! Waits of attempts for want of something of this machine, and the log's lines about it.

use std::time::Duration;

use parking_lot::Mutex;
use service::outage::Outage;
use tokio::time::Instant;

use crate::attempt::NotBegun;
use crate::lack::Lack;
use crate::shared_backoff::SharedBackoff;

/// The first wait: mostly the resource is back within a moment.
const WAIT_MIN: Duration = Duration::from_millis(500);
/// The longest. Each round costs a lease and its return.
const WAIT_MAX: Duration = Duration::from_secs(10);
const WAITS: SharedBackoff = SharedBackoff::new(WAIT_MIN, WAIT_MAX);

/// A shortage, while there is one.
pub(crate) struct Shortage(Mutex<ShortageWaits>);

struct ShortageWaits {
    outage: Outage,
    backoff: SharedBackoff,
    /// Of names without an answer, which wait for each other.
    silent: SharedBackoff,
}

impl Default for Shortage {
    fn default() -> Self {
        Self(Mutex::new(ShortageWaits { outage: Outage::default(), backoff: WAITS, silent: WAITS }))
    }
}

impl Shortage {
    /// Returns the wait of an attempt that lacked something, and logs the first of them. Names
    /// without an answer are no shortage of this machine, and no other attempt waits for them.
    pub(crate) fn felt(&self, not_begun: &NotBegun, now: Instant) -> Duration {
        let mut waits = self.0.lock();
        if not_begun.lack == Lack::SilentLookups {
            if waits.silent.is_long_over(now) {
                waits.silent = WAITS;
            }
            return waits.silent.wait(now);
        }
        if waits.outage.begins() {
            waits.backoff = WAITS;
            let (lack, problem) = (not_begun.lack.as_str(), not_begun.problem.as_str());
            tracing::warn!(
                lack,
                problem,
                "Attempts cannot begin for want of something of this machine; they are not \
                 counted, and are tried again until they can"
            );
        }
        waits.backoff.wait(now)
    }

    /// An attempt used the network. The shortage is over once it was not felt for a while:
    /// meanwhile an attempt may succeed on a connection that was open before.
    pub(crate) fn passed(&self, now: Instant) {
        let mut waits = self.0.lock();
        if waits.backoff.is_long_over(now) && waits.outage.ends() {
            tracing::info!("Attempts begin again");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shortage_waits_longer_each_time_and_is_then_forgotten() {
        let (shortage, mut now) = (Shortage::default(), Instant::now());
        let lack = NotBegun { lack: Lack::Files, problem: String::new() };
        let mut waits_ms = Vec::new();
        for _ in 0..7 {
            let wait = shortage.felt(&lack, now);
            assert_eq!(shortage.felt(&lack, now), wait, "a burst waits alike");
            // A connection that was open already.
            shortage.passed(now);
            waits_ms.push(wait.as_millis());
            now += wait;
        }
        assert_eq!(waits_ms, [500, 1_000, 2_000, 4_000, 8_000, 10_000, 10_000]);
        shortage.passed(now + WAIT_MAX);
        assert_eq!(shortage.felt(&lack, now), WAIT_MIN);
    }

    #[test]
    fn names_without_an_answer_make_nobody_else_wait() {
        let (shortage, mut now) = (Shortage::default(), Instant::now());
        let silent = NotBegun { lack: Lack::SilentLookups, problem: String::new() };
        for _ in 0..5 {
            now += shortage.felt(&silent, now);
        }
        assert!(!shortage.0.lock().outage.is_on(), "no word of this machine");
        assert!(shortage.felt(&silent, now) > WAIT_MIN, "each round is longer");
        let lookups = NotBegun { lack: Lack::Lookups, problem: String::new() };
        assert_eq!(shortage.felt(&lookups, now), WAIT_MIN);
        now += WAIT_MAX * 2;
        assert_eq!(shortage.felt(&silent, now), WAIT_MIN, "the silence was over");
    }
}
