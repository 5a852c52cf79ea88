//! The state of a shard: the groups that a batch needs, and what it changes in them.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::group::{Group, Touched};
use super::keeping::Keeping;
use super::observation::{GroupName, Observation, ObservationName, Place, Sampled};
use crate::condition::Reading;
use crate::event::{ChainId, Event, EventName};
use crate::finality::Heights;
use crate::index::{InForce, TriggerIndex};
use crate::log::{Entry, Position, Subject};
use crate::port::Portion;
use crate::waiting::{WaitingFound, WaitingNeeds, Waits};

/// The groups of a shard that are at hand. What it holds is what is stored up to the cursor that it
/// belongs to; it is empty at first, and may be forgotten at any time between two batches.
#[derive(Clone, Debug, Default)]
pub struct ShardState {
    cursor: Position,
    block_time: i64,
    pub(crate) chain: ChainId,
    pub(crate) heights: Heights,
    pub(crate) waits: Waits,
    at_hand: usize,
    groups: HashMap<GroupName, Group>,
    /// The groups that hold an event: of the batch's own events, and of those it takes back.
    holders: BTreeMap<EventName, BTreeSet<GroupName>>,
    changes: StateChanges,
}

/// What a batch has to know before it is judged.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Needs {
    /// Groups that its events fall into and that are not at hand.
    pub groups: Vec<GroupName>,
    /// Events that it takes back, or revises: every group that holds one.
    pub revised: Vec<EventName>,
}

impl Needs {
    /// True where everything is at hand.
    pub fn is_empty(&self) -> bool {
        self.groups.is_empty() && self.revised.is_empty()
    }
}

/// What is to be stored of a batch.
pub type StateChanges = BTreeMap<ObservationName, StateChange>;

/// What becomes of one observation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StateChange {
    /// It is stored as this.
    Put {
        /// The value of its trigger's `group_by`.
        key: Box<str>,
        /// What is stored.
        observation: Observation,
        /// The block time from which nobody asks for it any more.
        expires_at: i64,
    },
    /// It is dropped.
    Drop,
}

/// What became of an event that a trigger observes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Observed {
    /// It stands at this index of its group, and the functions say this.
    At(usize, Vec<Option<Reading>>),
    /// It is older than the state keeps.
    Late,
}

impl ShardState {
    /// The latest block time judged.
    pub fn block_time(&self) -> i64 {
        self.block_time
    }

    /// Takes over what is stored with the cursor.
    pub fn begin(&mut self, portion: &Portion) {
        self.cursor = portion.cursor;
        self.block_time = portion.block_time;
        self.chain = portion.shard;
        self.heights = portion.heights;
    }

    /// Where the batch began.
    pub(crate) fn cursor(&self) -> Position {
        self.cursor
    }

    /// What judging the portion asks of the waits that are stored. `None` where that is nothing.
    pub fn waiting_needs(&self, portion: &Portion) -> Option<WaitingNeeds> {
        let mut needs = WaitingNeeds::default();
        let mut heights = portion.heights;
        for entry in portion.entries.iter().filter(|_| portion.waits) {
            match &entry.subject {
                // A report may lower what depth alone had reached: each step counts.
                Subject::Heights(reported) => {
                    heights.report(*reported);
                    let step = heights.by_report(portion.shard);
                    needs.reached = Some(needs.reached.unwrap_or_default().highest(step));
                }
                // An event that was deleted may come again at its first revision.
                Subject::Event { name, .. } => needs.named.push(name.clone()),
            }
        }
        (needs != WaitingNeeds::default()).then_some(needs)
    }

    /// Takes in what the store gave for the needs of waiting events. Before [`ShardState::needs`].
    pub fn recall_waiting(&mut self, found: WaitingFound) {
        self.waits.load(found);
    }

    /// At most how many observations and groups it holds.
    pub fn at_hand(&self) -> usize {
        self.at_hand
    }

    /// A group that is at hand.
    pub fn group(&self, name: &GroupName) -> Option<&Group> {
        self.groups.get(name)
    }

    /// What judging `entries` asks of the store first.
    pub fn needs(&self, entries: &[Entry], index: &TriggerIndex) -> Needs {
        let mut needs = Needs::default();
        if !index.has_state() {
            return needs;
        }
        let mut groups = BTreeSet::new();
        for entry in entries {
            let Subject::Event { name, revision, row, superseded: false } = &entry.subject else {
                continue;
            };
            if *revision > 0 {
                needs.revised.push(name.clone());
            }
            let Some(event) = row.as_deref().filter(|row| !row.invalidated) else { continue };
            let names = index.candidates(event).filter(|trigger| trigger.has_state());
            groups.extend(names.filter_map(|trigger| trigger.group(event)));
        }
        for (event, triggers) in self.waits.at_hand() {
            let names = index.candidates(event).filter(|trigger| trigger.has_state());
            let names = names.filter(|trigger| triggers.contains(&trigger.id()));
            groups.extend(names.filter_map(|trigger| trigger.group(event)));
        }
        needs.groups = groups.into_iter().filter(|name| !self.groups.contains_key(name)).collect();
        needs
    }

    /// Takes in what the store gave for `needs`: each group that was asked for, and each that holds
    /// a revised event, with all of its observations.
    pub fn recall(
        &mut self,
        needs: Needs,
        rows: Vec<(GroupName, Observation)>,
        index: &TriggerIndex,
    ) {
        let revised: BTreeSet<EventName> = needs.revised.into_iter().collect();
        let mut loaded: BTreeMap<GroupName, Vec<Observation>> =
            needs.groups.into_iter().map(|name| (name, Vec::new())).collect();
        for (name, observation) in rows {
            let event = observation.place.event();
            if revised.contains(&event) {
                self.holders.entry(event).or_default().insert(name.clone());
            }
            if !self.groups.contains_key(&name) {
                loaded.entry(name).or_default().push(observation);
            }
        }
        for (name, observations) in loaded {
            // Of a lineage that is no longer in force nothing is asked.
            if let Some(trigger) = index.observer(&name) {
                self.at_hand += 1 + observations.len();
                let group = Group::stored(trigger.functions(), observations);
                self.groups.insert(name, group);
            }
        }
    }

    /// A valid event was judged: the shard's time is not earlier than its.
    pub(crate) fn witness(&mut self, event: &Event) {
        self.block_time = self.block_time.max(event.counted_at());
    }

    /// A trigger observes an event. [`ShardState::judged`] has to follow.
    pub(crate) fn observe(
        &mut self,
        trigger: InForce<'_>,
        name: &GroupName,
        event: &Event,
    ) -> Observed {
        let keeping = Keeping::of(trigger);
        let functions = trigger.functions();
        let group = self.groups.get_mut(name).expect("every group that is needed is recalled");
        let mut touched = Touched::default();
        let now = keeping.now(group.latest().max(Some(event.counted_at())), self.block_time);
        group.prune(&keeping, now, &mut touched);
        let added = if keeping.is_late(event.counted_at(), now) {
            None
        } else {
            let observation = Observation {
                place: Place::of(event),
                revision: event.revision,
                samples: functions.iter().map(|f| Sampled::from(f.sample(event))).collect(),
                fired: false,
                base: false,
            };
            group.add(functions, observation, &mut touched)
        };
        let observed =
            added.map_or(Observed::Late, |at| Observed::At(at, group.readings(functions, at)));
        if added.is_some() {
            self.at_hand += 1;
            self.holders.entry(event.name.clone()).or_default().insert(name.clone());
        }
        note(&mut self.changes, name, &keeping, touched);
        observed
    }

    /// Whether the trigger must be silent because it fired shortly before or after.
    pub(crate) fn is_cooling(&self, trigger: InForce<'_>, name: &GroupName, event: &Event) -> bool {
        let group = self.groups.get(name);
        trigger
            .cooldown_s()
            .zip(group)
            .is_some_and(|(cooldown_s, group)| group.is_cooling(event.counted_at(), cooldown_s))
    }

    /// What came of the event that stands at `at`.
    pub(crate) fn judged(
        &mut self,
        trigger: InForce<'_>,
        name: &GroupName,
        at: usize,
        fired: bool,
    ) {
        let group = self.groups.get_mut(name).expect("it was observed just now");
        let mut touched = Touched::default();
        group.judged(trigger.functions(), at, fired, &mut touched);
        note(&mut self.changes, name, &Keeping::of(trigger), touched);
    }

    /// Takes the revisions below the given one out of every group. Gives the number of groups that
    /// hold the event and no longer know enough to do without it.
    pub(crate) fn remove(
        &mut self,
        event: &EventName,
        below_revision: i32,
        index: &TriggerIndex,
    ) -> usize {
        let mut late = 0;
        for name in self.holders.remove(event).unwrap_or_default() {
            let Some(trigger) = index.observer(&name) else { continue };
            let Some(group) = self.groups.get_mut(&name) else { continue };
            let (functions, keeping) = (trigger.functions(), Keeping::of(trigger));
            // An expired observation may have been deleted: it is the same as none.
            let held_at = group.counted_at(event);
            if held_at.is_none_or(|at| keeping.expires_at(at) <= self.block_time) {
                continue;
            }
            let mut touched = Touched::default();
            let now = keeping.now(group.latest(), self.block_time);
            group.prune(&keeping, now, &mut touched);
            let gone = group.remove(functions, event, below_revision, &mut touched);
            late += usize::from(!gone && keeping.averages);
            note(&mut self.changes, &name, &keeping, touched);
        }
        late
    }

    /// Ends the batch: what is to be stored of it.
    pub(crate) fn take_changes(&mut self) -> StateChanges {
        self.holders.clear();
        std::mem::take(&mut self.changes)
    }
}

fn note(changes: &mut StateChanges, name: &GroupName, keeping: &Keeping, touched: Touched) {
    let named = |event| ObservationName { event, trigger: name.trigger, lineage: name.lineage };
    for observation in touched.put {
        let expires_at = keeping.expires_at(observation.place.counted_at);
        let put = StateChange::Put { key: name.key.clone(), expires_at, observation };
        let StateChange::Put { observation, .. } = &put else { continue };
        changes.insert(named(observation.place.event()), put);
    }
    // What was dropped in one step was put in an earlier one, if at all.
    changes.extend(touched.dropped.into_iter().map(|event| (named(event), StateChange::Drop)));
}
