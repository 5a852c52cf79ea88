//! The state of a shard: the groups that a batch needs, and its changes to them.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::group::{Group, Touched};
use super::observation::{EventPosition, GroupName, Observation, ObservationName, Sampled};
use super::retention::Retention;
use crate::condition::Reading;
use crate::event::{ChainId, Event, EventName};
use crate::finality::Heights;
use crate::index::{InForce, TriggerIndex};
use crate::log::{Entry, Position, Subject};
use crate::port::ShardBatch;
use crate::waiting::{WaitingFound, WaitingNeeds, Waits};

/// The loaded groups of a shard, as they are at its cursor. It begins empty, and may be discarded
/// at any time between two batches.
#[derive(Clone, Debug, Default)]
pub struct ShardState {
    /// The cursor at the beginning of the batch.
    pub(crate) cursor: Position,
    block_time: i64,
    pub(crate) chain: ChainId,
    pub(crate) heights: Heights,
    pub(crate) waits: Waits,
    at_hand: usize,
    groups: HashMap<GroupName, Group>,
    /// The groups that hold an event: of the batch's own events, and of events that it revises.
    holders: BTreeMap<EventName, BTreeSet<GroupName>>,
    changes: StateChanges,
}

/// The groups that a batch needs before it is judged.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Needs {
    /// Groups of its events that are not loaded.
    pub groups: Vec<GroupName>,
    /// Events that it revises or invalidates: every group that holds any of them.
    pub revised: Vec<EventName>,
}

impl Needs {
    /// True if no group must be loaded.
    pub fn is_empty(&self) -> bool {
        self.groups.is_empty() && self.revised.is_empty()
    }
}

/// Observations to store or to delete after a batch.
pub type StateChanges = BTreeMap<ObservationName, StateChange>;

/// The change of one observation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StateChange {
    /// It is stored.
    Put {
        /// The value of its trigger's `group_by`.
        key: Box<str>,
        /// The observation.
        observation: Observation,
        /// The block time from which it is not needed.
        expires_at: i64,
    },
    /// It is deleted.
    Drop,
}

/// The outcome of an observation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ObservationOutcome {
    /// The event stands at this index of its group, where the functions have these values.
    At(usize, Vec<Option<Reading>>),
    /// The event is older than the state keeps.
    Late,
}

impl ShardState {
    /// The latest block time judged.
    pub fn block_time(&self) -> i64 {
        self.block_time
    }

    /// Takes over the shard's stored cursor, block time and heights.
    pub fn begin(&mut self, batch: &ShardBatch) {
        self.cursor = batch.cursor;
        self.block_time = batch.block_time;
        self.chain = batch.shard;
        self.heights = batch.heights;
    }

    /// The waits that judging the batch needs. `None` if it needs no wait.
    pub fn waiting_needs(&self, batch: &ShardBatch) -> Option<WaitingNeeds> {
        let mut needs = WaitingNeeds::default();
        let mut heights = batch.heights;
        for entry in batch.entries.iter().filter(|_| batch.waits) {
            match &entry.subject {
                // A report may lower a height that depth alone had reached, so each step counts.
                Subject::Heights(reported) => {
                    heights.report(*reported);
                    let step = heights.by_report(batch.shard);
                    needs.reached = Some(needs.reached.unwrap_or_default().highest(step));
                }
                // A deleted event may be inserted again at its first revision.
                Subject::Event { name, .. } => needs.named.push(name.clone()),
            }
        }
        (needs != WaitingNeeds::default()).then_some(needs)
    }

    /// Takes in the store's answer to the needs of waiting events. Call it before
    /// [`ShardState::needs`].
    pub fn recall_waiting(&mut self, found: WaitingFound) {
        self.waits.load(found);
    }

    /// An upper bound of its observations and groups.
    pub fn at_hand(&self) -> usize {
        self.at_hand
    }

    /// A loaded group.
    pub fn group(&self, name: &GroupName) -> Option<&Group> {
        self.groups.get(name)
    }

    /// The groups that judging `entries` needs from the store.
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

    /// Takes in the store's answer to `needs`: each group asked for, and each group that holds a
    /// revised event, with all their observations.
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
            // A lineage that is no longer in force needs no group.
            if let Some(trigger) = index.observer(&name) {
                self.at_hand += 1 + observations.len();
                let group = Group::stored(trigger.functions(), observations);
                self.groups.insert(name, group);
            }
        }
    }

    /// Moves the shard's block time on to that of a valid event.
    pub(crate) fn witness(&mut self, event: &Event) {
        self.block_time = self.block_time.max(event.counted_at());
    }

    /// Lets a trigger observe an event. [`ShardState::judged`] must follow.
    pub(crate) fn observe(
        &mut self,
        trigger: InForce<'_>,
        name: &GroupName,
        event: &Event,
    ) -> ObservationOutcome {
        let retention = Retention::of(trigger);
        let functions = trigger.functions();
        let group = self.groups.get_mut(name).expect("every group that is needed is recalled");
        let mut touched = Touched::default();
        let now = retention.now(group.latest().max(Some(event.counted_at())), self.block_time);
        group.prune(&retention, now, &mut touched);
        let added = if retention.is_late(event.counted_at(), now) {
            None
        } else {
            let observation = Observation {
                place: EventPosition::of(event),
                revision: event.revision,
                samples: functions.iter().map(|f| Sampled::from(f.sample(event))).collect(),
                fired: false,
                base: false,
            };
            group.add(functions, observation, &mut touched)
        };
        let observed = added.map_or(ObservationOutcome::Late, |at| {
            ObservationOutcome::At(at, group.readings(functions, at))
        });
        if added.is_some() {
            self.at_hand += 1;
            self.holders.entry(event.name.clone()).or_default().insert(name.clone());
        }
        note(&mut self.changes, name, &retention, touched);
        observed
    }

    /// True if the trigger must not fire because it fired shortly before or after.
    pub(crate) fn is_cooling(&self, trigger: InForce<'_>, name: &GroupName, event: &Event) -> bool {
        let cooldown = trigger.cooldown_s().zip(self.groups.get(name));
        cooldown.is_some_and(|(cooldown_s, group)| group.is_cooling(event.counted_at(), cooldown_s))
    }

    /// Records the judgement of the event at `at`.
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
        note(&mut self.changes, name, &Retention::of(trigger), touched);
    }

    /// Removes the revisions below the given one from every group. Returns the number of groups
    /// that hold the event and have lost too much to be recomputed without it.
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
            let (functions, retention) = (trigger.functions(), Retention::of(trigger));
            // An expired observation may have been deleted, so it counts as deleted.
            let held_at = group.counted_at(event);
            if held_at.is_none_or(|at| retention.expires_at(at) <= self.block_time) {
                continue;
            }
            let mut touched = Touched::default();
            let now = retention.now(group.latest(), self.block_time);
            group.prune(&retention, now, &mut touched);
            let gone = group.remove(functions, event, below_revision, &mut touched);
            late += usize::from(!gone && retention.averages);
            note(&mut self.changes, &name, &retention, touched);
        }
        late
    }

    /// Ends the batch and returns the changes to store.
    pub(crate) fn take_changes(&mut self) -> StateChanges {
        self.holders.clear();
        std::mem::take(&mut self.changes)
    }
}

fn note(changes: &mut StateChanges, name: &GroupName, retention: &Retention, touched: Touched) {
    let named = |event| ObservationName { event, trigger: name.trigger, lineage: name.lineage };
    for observation in touched.put {
        let expires_at = retention.expires_at(observation.place.counted_at);
        let event = observation.place.event();
        let put = StateChange::Put { key: name.key.clone(), expires_at, observation };
        changes.insert(named(event), put);
    }
    // An observation in both lists was stored first and dropped later, so its deletion counts.
    changes.extend(touched.dropped.into_iter().map(|event| (named(event), StateChange::Drop)));
}
