//! Retention of a trigger's observations.

use crate::condition::Function;
use crate::finality::Finality;
use crate::index::InForce;

/// Block time by which an event may be late and still be counted in full: longer than any reorg
/// short of a catastrophe, and short enough to cost nothing.
const LATE_S_MAX: i64 = 3_600;
/// Age up to which an event can be taken out of an average. Every chain is final long before.
const AVERAGE_KEPT_S: i64 = 24 * 3_600;
/// Time without an event after which a group's average is forgotten and begins anew.
const AVERAGE_EXPIRES_S: i64 = 365 * 24 * 3_600;

/// The time that a trigger keeps its observations, in seconds of block time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    /// The longest time that a judgement looks back.
    window_s: i64,
    /// Age up to which all observations are kept.
    kept_s: i64,
    /// Age after which no observation is needed.
    expires_s: i64,
    /// True if averages continue from dropped observations.
    pub(super) averages: bool,
    /// True if it judges events later than they come. The shard's block time is then no measure of
    /// its progress, and each group uses the time of its own latest event.
    waits: bool,
}

impl Retention {
    /// The retention that a trigger's functions and cooldown need.
    pub fn of(trigger: InForce<'_>) -> Self {
        let functions = trigger.functions();
        let looked_back = functions.iter().map(|function| match function {
            Function::Count(count) => count.window_s(),
            Function::Ema(_) => 0,
        });
        let window_s = looked_back.chain(trigger.cooldown_s()).max().unwrap_or(0);
        let averages = functions.iter().any(|function| matches!(function, Function::Ema(_)));
        let kept_s = (window_s + LATE_S_MAX).max(if averages { AVERAGE_KEPT_S } else { 0 });
        let expires_s = if averages { AVERAGE_EXPIRES_S } else { kept_s };
        let waits = trigger.finality() != Finality::Instant;
        Self { window_s, kept_s, expires_s, averages, waits }
    }

    /// The present block time of a group whose latest event has the time `latest`. A row far ahead
    /// of the chain does not count.
    pub(super) fn now(&self, latest: Option<i64>, block_time: i64) -> i64 {
        if self.waits { latest.map_or(i64::MIN, |at| at.min(block_time)) } else { block_time }
    }

    /// True if an event of this block time needs observations that are no longer kept.
    pub(super) fn is_late(&self, timestamp: i64, block_time: i64) -> bool {
        timestamp - self.window_s < block_time.saturating_sub(self.kept_s)
    }

    /// True if an observation of this block time is still kept.
    pub(super) fn is_kept(&self, timestamp: i64, block_time: i64) -> bool {
        timestamp > block_time.saturating_sub(self.kept_s)
    }

    /// The block time from which an observation is not needed. Never, where the group's next event
    /// decides it.
    pub(super) fn expires_at(&self, timestamp: i64) -> i64 {
        if self.waits { i64::MAX } else { timestamp + self.expires_s }
    }
}
