//! The load: rows as chains would bring them, triggers that a known tenth of them matches, and
//! writers that insert them by the clock.

mod block;
mod copy;
mod drive;
mod ledger;
mod pace;
mod triggers;

pub(crate) use self::copy::{Spread, store};
pub(crate) use self::drive::{Course, Run, drive, insert, now, settle};
pub(crate) use self::ledger::Ledger;
pub(crate) use self::pace::Pace;
pub(crate) use self::triggers::{ACTION, Kind, NEVER_FIELD, TriggerSet, webhook};

/// Chains with three registries each, as many as ERC-8004 lives on.
pub(crate) const CHAINS: u32 = 25;
/// The first of the chains' ids; the others follow.
pub(crate) const FIRST_CHAIN: i64 = 1_001;

/// What is known of the events of a run before it begins.
#[derive(Debug)]
pub(crate) struct Load {
    pub(crate) triggers: TriggerSet,
    /// One row in so many matches a trigger: 10, or 1 where all do, or 0 where none does.
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
