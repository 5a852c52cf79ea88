//! The judgement: from entries of a shard's log, the triggers in force and their state to a plan.

use serde_json::{Map, Value};

use crate::condition::{Function, Reading, Verdict};
use crate::event::{Event, EventName};
use crate::finality::Heights;
use crate::index::{InForce, TriggerIndex};
use crate::job::{JobId, NewJob};
use crate::log::{Entry, Position, Subject};
use crate::state::{GroupName, Observed, ShardState, StateChanges};
use crate::waiting::{Next, WaitChanges, Waiting};

/// Jobs in one plan, but for those of its last entry: what is committed together stays small,
/// however many triggers match. The rest of the entries is judged by the next plan.
pub const JOBS_MAX: usize = 10_000;

/// What is to be committed for a batch of entries, all of it or nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// The last entry judged: the shard's new cursor. `None` where there was no entry.
    pub cursor: Option<Position>,
    /// The shard's block time after it, unix seconds.
    pub block_time: i64,
    /// Jobs to add.
    pub jobs: Vec<NewJob>,
    /// Events that were revised: jobs of their earlier revisions are cancelled or retracted.
    pub supersessions: Vec<Supersession>,
    /// How far the chain is after it.
    pub heights: Heights,
    /// What becomes of observations.
    pub state: StateChanges,
    /// What becomes of waits.
    pub waits: WaitChanges,
    /// Set where it ends in the middle of what an entry releases: the cursor stands before that
    /// entry, and the next plan goes on from there.
    pub is_unfinished: bool,
    /// Events whose block time is ahead of their entries: judged as if it were not, and told.
    pub ahead: Option<Ahead>,
    /// What was seen.
    pub tally: Tally,
}

/// Events whose block time is further ahead of their entries than judging believes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ahead {
    /// How many.
    pub events: usize,
    /// The last of them.
    pub latest: EventName,
    /// When its entry was logged; unix milliseconds.
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

/// Counts of what a plan has seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Entries judged, of every kind.
    pub entries: usize,
    /// Entries whose event has been deleted.
    pub gone: usize,
    /// Entries that a higher revision of their event stands in front of.
    pub superseded: usize,
    /// Conditions that met an operand that was missing or did not compare, and events without a
    /// value to be grouped by.
    pub incomparable: usize,
    /// Events that came, or were taken back, later than a trigger's state keeps: not applied.
    pub late: usize,
    /// Events with more arguments than the store reads, judged as if they had none.
    pub unreadable: usize,
}

/// Judges `entries`, which are consecutive in one shard's log, by the triggers of `index` and what
/// they remember. `state` has to hold what [`ShardState::needs`] asked for.
///
/// Pure: the same entries, triggers and state give the same plan, and the same state after it. Each
/// entry is judged as what its revision was. An event's highest revision wins, wherever its entries
/// stand: an entry that a higher one stands in front of is passed over. The plan may end before the
/// entries do ([`JOBS_MAX`]); its cursor says where.
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
                    plan.cursor = plan.cursor.or(Some(state.cursor()));
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

/// One event before all triggers.
struct Judgement<'a> {
    index: &'a TriggerIndex,
    state: &'a mut ShardState,
    plan: &'a mut Plan,
}

impl Judgement<'_> {
    /// An event comes, or is revised.
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

    /// The chain is as far as that: what is deep enough now is judged, in the chain's order, by
    /// those of the triggers it waited for that are still in force. False where that has to be gone
    /// on with.
    fn release(&mut self, heights: Heights) -> bool {
        let before = self.state.heights;
        self.state.heights.report(heights);
        let all_is_released = loop {
            if self.plan.jobs.len() >= JOBS_MAX {
                break false;
            }
            match self.state.waits.next(&self.state.heights, self.state.chain) {
                Next::Nothing => break true,
                Next::Cut => break false,
                Next::Due(Waiting { event: None, .. }) => self.plan.tally.gone += 1,
                Next::Due(Waiting { wait, event: Some(event), .. }) => {
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

    /// Every event that the selectors take is observed, whatever comes of it.
    fn observe(&mut self, trigger: InForce<'_>, event: &Event) {
        let Some(group) = trigger.group(event) else {
            self.plan.tally.incomparable += 1;
            return;
        };
        let Observed::At(at, readings) = self.state.observe(trigger, &group, event) else {
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
        if event.name.timestamp < trigger.since() {
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

/// What the receiver is told of the state: the group, and each function as it is written.
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
