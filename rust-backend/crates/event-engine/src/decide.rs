//! The judgement: from entries of a shard's log and the triggers in force to a plan.

use crate::condition::Verdict;
use crate::event::{Event, EventName};
use crate::index::TriggerIndex;
use crate::job::{JobId, NewJob};
use crate::log::{Entry, Position, Subject};
use crate::trigger::Trigger;

/// Jobs in one plan, but for those of its last entry: what is committed together stays small,
/// however many triggers match. The rest of the entries is judged by the next plan.
pub const JOBS_MAX: usize = 10_000;

/// What is to be committed for a batch of entries, all of it or nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// The last entry judged: the shard's new cursor. `None` where there was no entry.
    pub cursor: Option<Position>,
    /// Jobs to add.
    pub jobs: Vec<NewJob>,
    /// Events whose earlier revisions are taken back: jobs of a revision below the number given.
    pub withdrawals: Vec<(EventName, i32)>,
    /// What was seen.
    pub tally: Tally,
}

/// Counts of what a plan has seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Entries judged, of every kind.
    pub entries: usize,
    /// Entries whose event has been deleted.
    pub gone: usize,
    /// Entries whose event has a later revision, which has an entry of its own.
    pub superseded: usize,
    /// Conditions that met an operand that was missing or did not compare.
    pub incomparable: usize,
}

/// Judges `entries`, which are consecutive in one shard's log, by the triggers of `index`.
///
/// Pure: the same entries and triggers give the same plan. An event's highest revision wins,
/// wherever its entries stand: an entry that the row has outgrown is passed over, because the
/// revision that outgrew it has an entry of its own. The plan may end before the entries do
/// ([`JOBS_MAX`]); its cursor says where.
pub fn decide(entries: &[Entry], index: &TriggerIndex) -> Plan {
    let mut plan = Plan::default();
    for entry in entries {
        if plan.jobs.len() >= JOBS_MAX {
            break;
        }
        debug_assert!(plan.cursor < Some(entry.position), "entries stand in the log's order");
        plan.cursor = Some(entry.position);
        plan.tally.entries += 1;
        let Subject::Event { name, revision, row } = &entry.subject else { continue };
        match row {
            None => plan.tally.gone += 1,
            Some(event) if event.revision > *revision => plan.tally.superseded += 1,
            Some(event) => judge(&mut plan, name, event, index),
        }
    }
    plan
}

fn judge(plan: &mut Plan, name: &EventName, event: &Event, index: &TriggerIndex) {
    if event.revision > 0 {
        plan.withdrawals.push((name.clone(), event.revision));
    }
    if event.invalidated {
        return;
    }
    for trigger in index.candidates(event) {
        if fires(trigger, event, &mut plan.tally) {
            plan.jobs.extend(jobs(trigger, event));
        }
    }
}

fn fires(trigger: &Trigger, event: &Event, tally: &mut Tally) -> bool {
    if event.name.timestamp < trigger.since {
        return false;
    }
    match trigger.condition.as_ref().map(|condition| condition.verdict(event)) {
        None | Some(Verdict::Match) => true,
        Some(Verdict::NoMatch) => false,
        Some(Verdict::Incomparable) => {
            tally.incomparable += 1;
            false
        }
    }
}

fn jobs<'a>(trigger: &'a Trigger, event: &'a Event) -> impl Iterator<Item = NewJob> + 'a {
    trigger.actions.iter().map(|(action, version)| NewJob {
        id: JobId::of(trigger.id, action, &event.name, event.revision),
        trigger: (trigger.id, trigger.version),
        action: (action.clone(), *version),
        event: event.name.clone(),
        revision: event.revision,
    })
}
