//! How long a trigger keeps what it observed.

use crate::condition::Function;
use crate::finality::Finality;
use crate::index::InForce;

/// How late an event may come, in block time, and still be counted in full: longer than any reorg
/// that is not a catastrophe, and short enough to cost nothing.
const LATE_S_MAX: i64 = 3_600;
/// How long what an average has taken in can be taken back. Every chain is final long before.
const AVERAGE_KEPT_S: i64 = 24 * 3_600;
/// After so long without an event a group's average is forgotten and begins anew.
const AVERAGE_EXPIRES_S: i64 = 365 * 24 * 3_600;

/// How long a trigger keeps its observations, in seconds of block time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Keeping {
    /// The longest time that a judgement looks back.
    window_s: i64,
    /// Observations younger than this are all there.
    kept_s: i64,
    /// Nobody asks for an observation older than this.
    expires_s: i64,
    /// Whether averages go on from observations that are no longer kept.
    pub(super) averages: bool,
    /// Whether it judges events later than they come: then the shard's block time says nothing of
    /// how far it is, and its groups go by their own latest events.
    waits: bool,
}

impl Keeping {
    /// What the functions and the cooldown of a trigger need.
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

    /// The block time that a group goes by, `latest` being that of its latest event. No row that is
    /// far ahead of the chain counts.
    pub(super) fn now(&self, latest: Option<i64>, block_time: i64) -> i64 {
        if self.waits { latest.map_or(i64::MIN, |at| at.min(block_time)) } else { block_time }
    }

    /// Whether an event of this block time is older than what it needs is kept.
    pub(super) fn is_late(&self, timestamp: i64, block_time: i64) -> bool {
        timestamp - self.window_s < block_time.saturating_sub(self.kept_s)
    }

    /// Whether an observation of this block time is still kept.
    pub(super) fn is_kept(&self, timestamp: i64, block_time: i64) -> bool {
        timestamp > block_time.saturating_sub(self.kept_s)
    }

    /// The block time from which nobody asks for an observation any more. Never where it is the
    /// group's next event that tells.
    pub(super) fn expires_at(&self, timestamp: i64) -> i64 {
        if self.waits { i64::MAX } else { timestamp + self.expires_s }
    }
}
