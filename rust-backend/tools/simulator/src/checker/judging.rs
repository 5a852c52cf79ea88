//! Is everything judged once, in order, and by the right triggers?

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound::{Excluded, Included, Unbounded};

use event_engine::event::{ChainId, EventName};
use event_engine::job::NewJob;
use event_engine::log::Position;

use super::naive::{End, Heard, Jobs, Memory};
use crate::store::{Database, Judged, Noted, Rule, State};

/// What was written and judged so far.
#[derive(Debug, Default)]
pub(super) struct Judging {
    log: BTreeMap<ChainId, BTreeMap<Position, Noted>>,
    sets: BTreeMap<i64, Vec<Rule>>,
    judged: Remembered,
}

/// What was judged so far: what a crash of the store may set back.
#[derive(Clone, Debug, Default)]
pub struct Remembered {
    cursors: BTreeMap<ChainId, Position>,
    memory: Memory,
    expected: Jobs,
    superseded: BTreeMap<EventName, i32>,
}

impl Judging {
    /// What was judged so far.
    pub(super) fn remember(&self) -> Remembered {
        self.judged.clone()
    }

    /// The store crashed, and has forgotten what was judged since.
    pub(super) fn set_back(&mut self, to: Remembered) {
        self.judged = to;
    }

    /// Nothing may appear where a cursor has passed.
    pub(super) fn written(&mut self, entries: &[(ChainId, Position, Noted)]) -> Result<(), String> {
        for (shard, position, noted) in entries {
            self.log.entry(*shard).or_default().insert(*position, noted.clone());
            let cursor = self.judged.cursors.get(shard).copied().unwrap_or_default();
            if *position <= cursor {
                return Err(format!(
                    "the cursor of {shard} at {cursor:?} has passed {noted:?} at {position:?}, \
                     which was not there yet"
                ));
            }
        }
        Ok(())
    }

    pub(super) fn in_force(&mut self, revision: i64, active: Vec<Rule>) {
        self.sets.insert(revision, active);
    }

    /// The events that were taken back, with the revision below which they were.
    pub(super) fn superseded(&self) -> &BTreeMap<EventName, i32> {
        &self.judged.superseded
    }

    /// A batch begins where the last one ended, decides what the rules say, and leaves nothing
    /// pending of what it takes back.
    pub(super) fn judged(
        &mut self,
        database: &Database,
        judged: &Judged<'_>,
    ) -> Result<(), String> {
        let Judged { holder, shard, moved: (from, to), .. } = *judged;
        let cursor = self.judged.cursors.insert(shard, to).unwrap_or_default();
        if from != cursor {
            return Err(format!(
                "{holder} judged {shard} from {from:?}, but it had been judged up to {cursor:?}"
            ));
        }
        let plan = judged.plan;
        if to < from || to == from && !plan.is_unfinished {
            return Err(format!("{holder} moved the cursor of {shard} from {from:?} to {to:?}"));
        }
        let empty = BTreeMap::new();
        let log = self.log.get(&shard).unwrap_or(&empty);
        let entries = log.range((Excluded(from), Included(to)));
        if entries.clone().count() != judged.plan.tally.entries {
            return Err(format!(
                "{holder} judged {} entries of {shard}, but {} stand from {from:?} to {to:?}",
                judged.plan.tally.entries,
                entries.count()
            ));
        }
        let rules = self.sets.get(&judged.triggers_revision).map_or(&[][..], Vec::as_slice);
        let heard: Vec<Heard<'_>> = entries
            .clone()
            .filter_map(|(position, noted)| {
                heard(database, log, judged.seen, (shard, *position), noted)
            })
            .collect();
        let next = log.range((Excluded(to), Unbounded)).next();
        let unfinished = match next.filter(|_| plan.is_unfinished) {
            Some((_, Noted::Heights(heights))) => Some((shard, *heights)),
            None if !plan.is_unfinished => None,
            next => return Err(format!("{holder} was not finished before {next:?}")),
        };
        let has_moved = to > from;
        let end = End { unfinished, has_moved, waits: &plan.waits, there: judged.waiting };
        let expected = self.judged.memory.judge(&heard, rules, &end)?;
        // What the state said is told in words of its own; whether it fires is what counts here.
        let wordless = |job: &NewJob| NewJob { readings: None, ..job.clone() };
        let decided: Jobs = judged.plan.jobs.iter().map(|job| (job.id, wordless(job))).collect();
        if decided != expected {
            return Err(format!(
                "{holder} decided on {shard} from {from:?} to {to:?} by set {}: {decided:#?}\n\
                 and should have decided {expected:#?}",
                judged.triggers_revision
            ));
        }
        for row in heard.iter().filter_map(Heard::row) {
            nothing_waits(database, &row.name, row.revision)?;
            let below = self.judged.superseded.entry(row.name.clone()).or_default();
            *below = (*below).max(row.revision);
        }
        self.judged.expected.extend(expected);
        Ok(())
    }

    /// Every entry is judged, and the jobs are those that the rules say.
    pub(super) fn rests(&self, database: &Database) -> Result<(), String> {
        for (shard, entries) in &self.log {
            let cursor = self.judged.cursors.get(shard).copied().unwrap_or_default();
            let last = entries.last_key_value().map(|(position, _)| *position);
            if last.is_some_and(|last| last > cursor) || cursor != database.cursor(*shard) {
                return Err(format!(
                    "{shard} was judged up to {cursor:?}, and goes on to {last:?}"
                ));
            }
        }
        let jobs = &database.judged.jobs.by_id;
        if let Some(missing) = self.judged.expected.values().find(|job| !jobs.contains_key(&job.id))
        {
            return Err(format!("a job is missing: {missing:?}"));
        }
        if let Some(excess) = jobs
            .values()
            .filter(|job| job.retracts.is_none())
            .find(|job| !self.judged.expected.contains_key(&job.decided.id))
        {
            return Err(format!("nobody decided this job: {excess:?}"));
        }
        Ok(())
    }
}

/// What an entry says, unless its row is gone or a higher revision stands in front of it.
fn heard<'a>(
    database: &'a Database,
    log: &BTreeMap<Position, Noted>,
    seen: &BTreeSet<EventName>,
    (shard, position): (ChainId, Position),
    noted: &Noted,
) -> Option<Heard<'a>> {
    let (name, revision) = match noted {
        Noted::Event(name, revision) => (name, revision),
        Noted::Heights(heights) => return Some(Heard::Heights(shard, *heights)),
    };
    let is_higher = |earlier: &Noted| match earlier {
        Noted::Event(other, higher) => other == name && higher > revision,
        Noted::Heights(_) => false,
    };
    let superseded = log.range(..position).any(|(_, earlier)| is_higher(earlier));
    let row = database.history.get(&(name.clone(), *revision));
    row.filter(|_| seen.contains(name) && !superseded).map(Heard::Row)
}

/// Of an event that was just taken back.
fn nothing_waits(database: &Database, event: &EventName, below: i32) -> Result<(), String> {
    let waiting = database.judged.jobs.by_id.values().find(|job| {
        let decided = &job.decided;
        matches!(job.state, State::Pending | State::Held)
            && job.retracts.is_none()
            && decided.event == *event
            && decided.revision < below
    });
    waiting.map_or(Ok(()), |job| Err(format!("a job waits that was superseded: {job:?}")))
}
