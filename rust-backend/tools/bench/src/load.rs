//! The load: rows as chains bring them, triggers of which a known share matches, and writers that
//! insert by the clock.

mod block;
mod copy;
mod drive;
mod ledger;
mod schedule;
mod triggers;

pub(crate) use self::copy::{Spread, store};
pub(crate) use self::drive::{Course, Run, drive, insert, now, settle};
pub(crate) use self::ledger::Ledger;
pub(crate) use self::schedule::LoadSchedule;
pub(crate) use self::triggers::{ACTION, Kind, NEVER_FIELD, TriggerSet, webhook};

/// Chains with three registries each: as many as ERC-8004 is deployed on.
pub(crate) const CHAINS: u32 = 25;
/// The first of the chains' ids; the others follow.
pub(crate) const FIRST_CHAIN: i64 = 1_001;

/// The triggers and the share of matching events of a run.
#[derive(Debug)]
pub(crate) struct Load {
    pub(crate) triggers: TriggerSet,
    /// Of so many rows one matches a trigger: 10, or 1 if all do, or 0 if no row does.
    pub(crate) match_one_in: u32,
}

impl Load {
    /// One event in ten matches.
    pub(crate) fn usual(triggers: TriggerSet) -> Self {
        Self { triggers, match_one_in: 10 }
    }

    /// No event matches.
    pub(crate) fn none_matching(triggers: TriggerSet) -> Self {
        Self { triggers, match_one_in: 0 }
    }

    /// Each event matches.
    pub(crate) fn all_matching(triggers: TriggerSet) -> Self {
        Self { triggers, match_one_in: 1 }
    }
}
