//! How long attempts wait that lack something of ours, and when that is said.

use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

use crate::attempt::NotBegun;

/// The first wait: what lacks is often back within a moment.
const WAIT_MIN: Duration = Duration::from_millis(500);
/// The longest. Each round costs a lease and its return.
const WAIT_MAX: Duration = Duration::from_secs(10);

/// A shortage, while there is one.
#[derive(Debug, Default)]
pub(crate) struct Shortage(Mutex<Option<Lasting>>);

#[derive(Clone, Copy, Debug)]
struct Lasting {
    wait: Duration,
    /// When the wait was drawn up; all that lack something within it wait alike.
    since: Instant,
}

impl Shortage {
    /// An attempt lacked something. Says so if that is new, and how long to wait: twice as long
    /// each time that this was waited for in vain.
    pub(crate) fn felt(&self, not_begun: &NotBegun, now: Instant) -> Duration {
        let mut lasting = self.0.lock();
        let next = match *lasting {
            None => {
                let (lack, problem) = (not_begun.lack.as_str(), not_begun.problem.as_str());
                tracing::warn!(
                    lack,
                    problem,
                    "Attempts cannot begin for want of something of this machine; they are not \
                     counted, and are tried again until they can"
                );
                Lasting { wait: WAIT_MIN, since: now }
            }
            Some(lasting) if now.saturating_duration_since(lasting.since) < lasting.wait => lasting,
            Some(lasting) => Lasting { wait: (lasting.wait * 2).min(WAIT_MAX), since: now },
        };
        *lasting = Some(next);
        next.wait
    }

    /// An attempt began. The shortage is over if nobody has felt it for a while: what needs nothing
    /// new, such as a connection that is open already, also begins meanwhile.
    pub(crate) fn passed(&self, now: Instant) {
        let mut lasting = self.0.lock();
        let is_over = |it: &Lasting| now.saturating_duration_since(it.since) >= it.wait * 2;
        if lasting.as_ref().is_some_and(is_over) {
            *lasting = None;
            tracing::info!("Attempts begin again");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lack::Lack;

    #[test]
    fn a_shortage_is_waited_out_longer_each_time_and_forgotten_once_it_is_over() {
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
