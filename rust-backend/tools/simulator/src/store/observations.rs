//! Table `trigger_observations`.

use std::collections::{BTreeMap, BTreeSet};

use event_engine::event::ChainId;
use event_engine::state::{
    GroupName, Needs, Observation, ObservationName, StateChange, StateChanges,
};

/// What triggers with state remember.
#[derive(Clone, Debug, Default)]
pub struct Observations {
    rows: BTreeMap<(ChainId, ObservationName), (GroupName, Observation, i64)>,
}

impl Observations {
    /// The groups that are asked for, and those that hold a revised event.
    pub fn recall(&self, shard: ChainId, needs: &Needs) -> Vec<(GroupName, Observation)> {
        let of_shard = || self.rows.iter().filter(|((chain, _), _)| *chain == shard);
        let holding = of_shard().filter(|((_, name), _)| needs.revised.contains(&name.event));
        let mut wanted: BTreeSet<&GroupName> = holding.map(|(_, (group, ..))| group).collect();
        wanted.extend(&needs.groups);
        let rows = of_shard().filter(|(_, (group, ..))| wanted.contains(group));
        rows.map(|(_, (group, observation, _))| (group.clone(), observation.clone())).collect()
    }

    /// Stores what a batch changed, and deletes what nobody asks for any more.
    pub fn change(&mut self, shard: ChainId, changes: &StateChanges, block_time: i64) {
        self.rows.retain(|(chain, _), (.., expires)| *chain != shard || *expires > block_time);
        for (name, change) in changes {
            let key = (shard, name.clone());
            match change {
                StateChange::Drop => {
                    self.rows.remove(&key);
                }
                StateChange::Put { key: group_key, observation, expires_at } => {
                    let group = GroupName {
                        trigger: name.trigger,
                        lineage: name.lineage,
                        key: group_key.clone(),
                    };
                    self.rows.insert(key, (group, observation.clone(), *expires_at));
                }
            }
        }
    }
}
