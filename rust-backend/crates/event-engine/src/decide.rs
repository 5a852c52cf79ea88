//! Judging: makes a plan from entries of a shard's log, the triggers in force and their state.

use serde_json::{Map, Value};

use crate::condition::{Function, Reading, Verdict};
use crate::event::{Event, EventName};
use crate::finality::Heights;
use crate::index::{InForce, TriggerIndex};
use crate::job::{JobId, NewJob};
use crate::log::{Entry, Position, Subject};
use crate::state::{GroupName, ObservationOutcome, ShardState, StateChanges};
use crate::waiting::{Release, WaitChanges, Waiting};

/// Jobs after which a plan ends, once its entry is done: this keeps transactions small, however
/// many triggers match. The next plan judges the remaining entries.
pub const JOBS_MAX: usize = 10_000;

/// The changes to commit for a batch of entries, all of them or nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// The last entry judged: the shard's new cursor. `None` where there was no entry.
    pub cursor: Option<Position>,
    /// The shard's block time at the cursor, unix seconds.
    pub block_time: i64,
    /// Jobs to add.
    pub jobs: Vec<NewJob>,
    /// Events that were revised: jobs of their earlier revisions are cancelled or retracted.
    pub supersessions: Vec<Supersession>,
    /// The chain's heights at the cursor.
    pub heights: Heights,
    /// Changes to observations.
    pub state: StateChanges,
    /// Changes to waits.
    pub waits: WaitChanges,
    /// True if the plan ends amid the events that one entry releases: the cursor stands before that
    /// entry, and the next plan continues from there.
    pub is_unfinished: bool,
    /// Events whose block time is ahead of their entries: judged by the bounded time, and reported.
    pub ahead: Option<Ahead>,
    /// Counts of the entries seen.
    pub tally: Tally,
}

/// Events whose block time is ahead of their entries by more than
/// [`AHEAD_S_MAX`](crate::event::AHEAD_S_MAX).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ahead {
    /// Their number.
    pub events: usize,
    /// The last of them.
    pub latest: EventName,
    /// Time at which its entry was logged; unix milliseconds.
    pub logged_at_ms: i64,
}

/// An event was revised: jobs of its earlier revisions are cancelled or retracted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Supersession {
    /// The event.
    pub event: EventName,
    /// The revisions below this one are superseded.
    pub below: i32,
    /// True if this revision invalidates the event; false if it is valid again, or another block
    /// replaced it.
    pub is_invalidated: bool,
}

/// Counts of a plan's entries and events.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Entries judged, of every kind.
    pub entries: usize,
    /// Entries whose event has been deleted.
    pub gone: usize,
    /// Entries with a higher revision of their event earlier in the log.
    pub superseded: usize,
    /// Conditions with a missing or incomparable operand, and events without a value to be grouped
    /// by.
    pub incomparable: usize,
    /// Events that came or were invalidated too late for a trigger's state: not applied.
    pub late: usize,
    /// Events with more arguments than the store reads, judged as if without any.
    pub unreadable: usize,
}

/// Judges `entries`, consecutive in one shard's log, by the triggers of `index` and their state.
/// `state` must hold the answer to [`ShardState::needs`].
///
/// Pure: the same entries, triggers and state give the same plan and the same state after it. Each
/// entry is judged by the content of its own revision. An event's highest revision counts, wherever
/// its entries stand: an entry behind a higher one is skipped. The plan may end before the entries
/// do ([`JOBS_MAX`]); its cursor says where.
pub fn decide(entries: &[Entry], index: &TriggerIndex, state: &mut ShardState) -> Plan {
    let mut plan = Plan::default();
    for entry in entries {
        if plan.jobs.len() >= JOBS_MAX {
            break;
        }
        debug_assert!(plan.cursor < Some(entry.position), "entries stand in the log's order");
        let mut judgement = Judgement { index, state, plan: &mut plan };
        match &entry.subject {
            Subject::Heights(heights) => {
                if !judgement.release(*heights) {
                    plan.is_unfinished = true;
                    plan.cursor = plan.cursor.or(Some(state.cursor));
                    break;
                }
            }
            Subject::Event { row: None, .. } => plan.tally.gone += 1,
            Subject::Event { superseded: true, .. } => plan.tally.superseded += 1,
            Subject::Event { row: Some(event), .. } => judgement.take(event),
        }
        plan.cursor = Some(entry.position);
        plan.tally.entries += 1;
    }
    plan.block_time = state.block_time();
    plan.heights = state.heights;
    plan.state = state.take_changes();
    plan.waits = state.waits.take_changes();
    plan
}

/// The judgement of one entry by all triggers.
struct Judgement<'a> {
    index: &'a TriggerIndex,
    state: &'a mut ShardState,
    plan: &'a mut Plan,
}

impl Judgement<'_> {
    /// Takes an event that was inserted or revised.
    fn take(&mut self, event: &Event) {
        if event.revision > 0 {
            self.plan.supersessions.push(Supersession {
                event: event.name.clone(),
                below: event.revision,
                is_invalidated: event.invalidated,
            });
            self.plan.tally.late += self.state.remove(&event.name, event.revision, self.index);
        }
        self.state.waits.remove(&event.name);
        self.plan.tally.unreadable += usize::from(event.arguments.are_unreadable());
        if event.invalidated {
            return;
        }
        self.state.witness(event);
        if event.is_ahead() {
            let before = self.plan.ahead.take().map_or(0, |ahead| ahead.events);
            let (latest, logged_at_ms) = (event.name.clone(), event.inserted_at_ms);
            self.plan.ahead = Some(Ahead { events: before + 1, latest, logged_at_ms });
        }
        for trigger in self.index.candidates(event) {
            self.judge_or_wait(trigger, event);
        }
    }

    /// Applies the chain's new heights: judges the events that are deep enough now, in the chain's
    /// order, by those of their waiting triggers that are still in force. False if the plan is full
    /// and the rest is for the next one.
    fn release(&mut self, heights: Heights) -> bool {
        let before = self.state.heights;
        self.state.heights.report(heights);
        let all_is_released = loop {
            if self.plan.jobs.len() >= JOBS_MAX {
                break false;
            }
            match self.state.waits.next(&self.state.heights, self.state.chain) {
                Release::Nothing => break true,
                Release::Cut => break false,
                Release::Due(Waiting { event: None, .. }) => self.plan.tally.gone += 1,
                Release::Due(Waiting { wait, event: Some(event), .. }) => {
                    for trigger in self.index.candidates(&event) {
                        if wait.triggers.contains(&trigger.id()) {
                            self.judge_or_wait(trigger, &event);
                        }
                    }
                }
            }
        };
        if !all_is_released {
            self.state.heights = before;
        }
        all_is_released
    }

    fn judge_or_wait(&mut self, trigger: InForce<'_>, event: &Event) {
        let finality = trigger.finality();
        let reached = self.state.heights.reached(finality, self.state.chain);
        if reached.is_none_or(|block| event.block_number > block) {
            self.state.waits.begin(finality, trigger.id(), event);
        } else if trigger.has_state() {
            self.observe(trigger, event);
        } else if self.fires(trigger, event, &[]) {
            self.plan.jobs.extend(jobs(trigger, event, None));
        }
    }

    /// Observes every event that the selectors take, before and regardless of the condition.
    fn observe(&mut self, trigger: InForce<'_>, event: &Event) {
        let Some(group) = trigger.group(event) else {
            self.plan.tally.incomparable += 1;
            return;
        };
        let ObservationOutcome::At(at, readings) = self.state.observe(trigger, &group, event)
        else {
            self.plan.tally.late += 1;
            return;
        };
        let fires =
            !self.state.is_cooling(trigger, &group, event) && self.fires(trigger, event, &readings);
        self.state.judged(trigger, &group, at, fires);
        if fires {
            let told = told(trigger, &group, &readings);
            self.plan.jobs.extend(jobs(trigger, event, Some(&told)));
        }
    }

    fn fires(&mut self, trigger: InForce<'_>, event: &Event, readings: &[Option<Reading>]) -> bool {
        if !trigger.has_begun_at(event) {
            return false;
        }
        match trigger.condition().map(|condition| condition.verdict(event, readings)) {
            None | Some(Verdict::Match) => true,
            Some(Verdict::NoMatch) => false,
            Some(Verdict::Incomparable) => {
                self.plan.tally.incomparable += 1;
                false
            }
        }
    }
}

fn jobs<'a>(
    trigger: InForce<'a>,
    event: &'a Event,
    readings: Option<&'a str>,
) -> impl Iterator<Item = NewJob> + 'a {
    trigger.actions().iter().map(move |(action, version)| NewJob {
        id: JobId::of(trigger.id(), action, &event.name, event.revision),
        trigger: (trigger.id(), trigger.version()),
        action: (action.clone(), *version),
        event: event.name.clone(),
        revision: event.revision,
        transaction_hash: event.transaction_hash.clone(),
        readings: readings.map(str::to_owned),
    })
}

/// The readings for the receiver: the group, and each function as it is written.
fn told(trigger: InForce<'_>, group: &GroupName, readings: &[Option<Reading>]) -> String {
    let mut told = Map::new();
    if trigger.group_by().is_some() {
        told.insert("group".to_owned(), Value::from(&*group.key));
    }
    for (function, reading) in trigger.functions().iter().zip(readings) {
        let value = match reading {
            None => Value::Null,
            Some(Reading::Count(count)) => Value::from(*count),
            Some(Reading::Ema { value, .. }) => Value::from(value.to_string()),
        };
        told.insert(function.to_string(), value);
        if let (Function::Ema(_), Some(Reading::Ema { seen, .. })) = (function, reading) {
            told.insert("ema_count".to_owned(), Value::from(*seen));
        }
    }
    Value::Object(told).to_string()
}
