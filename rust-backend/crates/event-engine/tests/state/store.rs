//! A store that keeps observations as a table does, and a processor that forgets at will.

use std::collections::{BTreeMap, BTreeSet};

use event_engine::decide::{Plan, decide};
use event_engine::event::{ChainId, Event, EventName};
use event_engine::finality::{Finality, Heights};
use event_engine::index::TriggerIndex;
use event_engine::job::NewJob;
use event_engine::log::{Entry, Position, Subject};
use event_engine::port::ShardBatch;
use event_engine::state::{
    GroupName, Needs, Observation, ObservationName, ShardState, StateChange,
};
use event_engine::waiting::{Wait, WaitName, Waiting, WaitingFound, WaitingNeeds};

/// What is stored of a shard.
#[derive(Debug, Default)]
pub(crate) struct Store {
    rows: BTreeMap<ObservationName, (GroupName, Observation, i64)>,
    block_time: i64,
    heights: Heights,
    waits: BTreeMap<WaitName, Wait>,
    /// What each event was.
    events: BTreeMap<(EventName, i32), Event>,
    /// Every job that was decided.
    pub(crate) jobs: Vec<NewJob>,
    /// Events that came, or were taken back, too late.
    pub(crate) late: usize,
}

impl Store {
    /// Judges one batch as a processor does, with what it still remembers.
    pub(crate) fn batch(
        &mut self,
        state: &mut ShardState,
        entries: &[Entry],
        index: &TriggerIndex,
    ) -> Plan {
        let mut batch = ShardBatch {
            shard: ChainId(1),
            cursor: Position::default(),
            is_continued: true,
            block_time: self.block_time,
            heights: self.heights,
            waits: !self.waits.is_empty(),
            entries: entries.to_vec(),
        };
        for entry in entries {
            if let Subject::Event { name, revision, row: Some(row), .. } = &entry.subject {
                self.events.insert((name.clone(), *revision), (**row).clone());
            }
        }
        loop {
            batch.block_time = self.block_time;
            batch.heights = self.heights;
            batch.waits = !self.waits.is_empty();
            state.begin(&batch);
            if let Some(needs) = state.waiting_needs(&batch) {
                state.recall_waiting(self.waiting(&needs));
            }
            let needs = state.needs(&batch.entries, index);
            let recalled = self.recall(&needs);
            state.recall(needs, recalled, index);
            let plan = decide(&batch.entries, index, state);
            self.commit(&plan);
            if !plan.is_unfinished {
                return plan;
            }
            batch.entries.retain(|entry| Some(entry.position) > plan.cursor);
            batch.cursor = plan.cursor.expect("it says where it stopped");
        }
    }

    /// Two of each finality at most, so that a release takes several plans.
    fn waiting(&self, needs: &WaitingNeeds) -> WaitingFound {
        let waiting = |(name, wait): (&WaitName, &Wait)| Waiting {
            name: name.clone(),
            wait: wait.clone(),
            event: self.events.get(&(name.event.clone(), wait.revision)).cloned().map(Box::new),
        };
        let mut found = WaitingFound::default();
        let mut in_order: Vec<_> = self.waits.iter().collect();
        in_order.sort_by_key(|(name, wait)| (wait.block_number, wait.log_index, &name.event));
        let mut counts = BTreeMap::new();
        for (name, wait) in in_order {
            let reached = needs.reached.and_then(|it| it.reached(name.finality, ChainId(1)));
            if reached.is_none_or(|block| wait.block_number > block) {
                continue;
            }
            let count: &mut usize = counts.entry(name.finality).or_default();
            *count += 1;
            if *count <= 2 {
                found.reached.push(waiting((name, wait)));
            } else {
                found.cut.insert(name.finality);
            }
        }
        let reached: Vec<_> = found.reached.iter().map(|it| it.name.event.clone()).collect();
        let named = self
            .waits
            .iter()
            .filter(|(name, _)| needs.named.contains(&name.event) || reached.contains(&name.event));
        found.named = named.map(|it| Waiting { event: None, ..waiting(it) }).collect();
        found
    }

    /// What waits, and for what.
    pub(crate) fn waits(&self) -> Vec<(&str, Finality)> {
        self.waits.keys().map(|name| (name.event.id.as_str(), name.finality)).collect()
    }

    fn recall(&self, needs: &Needs) -> Vec<(GroupName, Observation)> {
        let asked: BTreeSet<&GroupName> = needs.groups.iter().collect();
        let holding: BTreeSet<&GroupName> = self
            .rows
            .iter()
            .filter(|(name, _)| needs.revised.contains(&name.event))
            .map(|(_, (group, ..))| group)
            .collect();
        let rows =
            self.rows.values().filter(|(name, ..)| asked.contains(name) || holding.contains(name));
        rows.map(|(group, observation, _)| (group.clone(), observation.clone())).collect()
    }

    fn commit(&mut self, plan: &Plan) {
        for (name, change) in &plan.state {
            match change {
                StateChange::Drop => {
                    self.rows.remove(name);
                }
                StateChange::Put { key, observation, expires_at } => {
                    let group = GroupName {
                        trigger: name.trigger,
                        lineage: name.lineage,
                        key: key.clone(),
                    };
                    self.rows.insert(name.clone(), (group, observation.clone(), *expires_at));
                }
            }
        }
        for (name, wait) in &plan.waits {
            match wait {
                Some(wait) => self.waits.insert(name.clone(), wait.clone()),
                None => self.waits.remove(name),
            };
        }
        self.heights = plan.heights;
        self.block_time = plan.block_time;
        self.jobs.extend(plan.jobs.iter().cloned());
        self.late += plan.tally.late;
    }

    /// Deletes what nobody asks for any more, as the batches of a real store do now and then.
    pub(crate) fn delete_expired(&mut self) {
        let block_time = self.block_time;
        self.rows.retain(|_, (.., expires_at)| *expires_at > block_time);
    }

    /// What it remembers.
    pub(crate) fn observations(&self) -> Vec<(&GroupName, &Observation)> {
        self.rows.values().map(|(group, observation, _)| (group, observation)).collect()
    }
}

/// Judges a whole log in one batch.
pub(crate) fn replay(entries: &[Entry], index: &TriggerIndex) -> Store {
    let mut store = Store::default();
    store.batch(&mut ShardState::default(), entries, index);
    store
}
