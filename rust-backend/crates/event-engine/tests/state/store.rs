//! A store that keeps observations as a table does, and a processor that forgets at will.

use std::collections::{BTreeMap, BTreeSet};

use event_engine::decide::{Plan, decide};
use event_engine::index::TriggerIndex;
use event_engine::job::NewJob;
use event_engine::log::Entry;
use event_engine::state::{
    GroupName, Needs, Observation, ObservationName, ShardState, StateChange,
};

/// What is stored of a shard.
#[derive(Debug, Default)]
pub(crate) struct Store {
    rows: BTreeMap<ObservationName, (GroupName, Observation, i64)>,
    block_time: i64,
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
        state.begin(self.block_time);
        let needs = state.needs(entries, index);
        let recalled = self.recall(&needs);
        state.recall(needs, recalled, index);
        let plan = decide(entries, index, state);
        self.commit(&plan);
        plan
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
