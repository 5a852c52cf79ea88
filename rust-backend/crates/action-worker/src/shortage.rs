//! Waits of attempts for want of something of this machine, and the log's lines about it.

use std::time::Duration;

use parking_lot::Mutex;
use service::outage::Outage;
use tokio::time::Instant;

use crate::attempt::NotBegun;
use crate::shared_backoff::SharedBackoff;

/// The first wait: mostly the resource is back within a moment.
const WAIT_MIN: Duration = Duration::from_millis(500);
/// The longest. Each round costs a lease and its return.
const WAIT_MAX: Duration = Duration::from_secs(10);
const WAITS: SharedBackoff = SharedBackoff::new(WAIT_MIN, WAIT_MAX);

/// A shortage, while there is one.
pub(crate) struct Shortage(Mutex<(Outage, SharedBackoff)>);

impl Default for Shortage {
    fn default() -> Self {
        Self(Mutex::new((Outage::default(), WAITS)))
    }
}

impl Shortage {
    /// Returns the wait of an attempt that lacked something, and logs the first of them.
    pub(crate) fn felt(&self, not_begun: &NotBegun, now: Instant) -> Duration {
        let mut shortage = self.0.lock();
        let (outage, backoff) = &mut *shortage;
        if outage.begins() {
            *backoff = WAITS;
            let (lack, problem) = (not_begun.lack.as_str(), not_begun.problem.as_str());
            tracing::warn!(
                lack,
                problem,
                "Attempts cannot begin for want of something of this machine; they are not \
                 counted, and are tried again until they can"
            );
        }
        backoff.wait(now)
    }

    /// An attempt used the network. The shortage is over once it was not felt for a while:
    /// meanwhile an attempt may succeed on a connection that was open before.
    pub(crate) fn passed(&self, now: Instant) {
        let mut shortage = self.0.lock();
        let (outage, backoff) = &mut *shortage;
        if backoff.is_long_over(now) && outage.ends() {
            tracing::info!("Attempts begin again");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lack::Lack;

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
}
