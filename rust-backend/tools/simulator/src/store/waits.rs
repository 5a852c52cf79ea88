//! Table `waiting_events`.

use std::collections::{BTreeMap, BTreeSet};

use event_engine::event::{ChainId, EventName};
use event_engine::finality::Heights;
use event_engine::waiting::{Wait, WaitChanges, WaitName, Waiting, WaitingFound, WaitingNeeds};

use super::Database;

/// Waits of each finality that are handed over together: few, so that a release takes several
/// batches.
const HANDED_OVER_MAX: usize = 2;

/// What does not lie deep enough yet.
pub type Waits = BTreeMap<(ChainId, WaitName), Wait>;

/// The waits that are reached, those of the lowest blocks, and those of the events that are named.
pub(super) fn recall(database: &Database, shard: ChainId, needs: &WaitingNeeds) -> WaitingFound {
    let waiting = |(name, wait): (&WaitName, &Wait)| {
        let row = database.history.get(&(name.event.clone(), wait.revision));
        let row = row.filter(|_| database.rows.contains_key(&name.event));
        let event = row.map(|row| Box::new(row.event()));
        Waiting { name: name.clone(), wait: wait.clone(), event }
    };
    let waits = database.judged.waits.iter().filter(|((chain, _), _)| *chain == shard);
    let mut waits: Vec<(&WaitName, &Wait)> = waits.map(|((_, name), wait)| (name, wait)).collect();
    waits.sort_by_key(|(name, wait)| (wait.block_number, wait.log_index, &name.event));
    let mut found = WaitingFound::default();
    let mut counts = BTreeMap::new();
    for &(name, wait) in &waits {
        if needs.reached.is_some_and(|heights| is_reached(heights, shard, name, wait)) {
            let count: &mut usize = counts.entry(name.finality).or_default();
            *count += 1;
            if *count <= HANDED_OVER_MAX {
                found.reached.push(waiting((name, wait)));
            } else {
                found.cut.insert(name.finality);
            }
        }
    }
    let reached: BTreeSet<EventName> =
        found.reached.iter().map(|waiting| waiting.name.event.clone()).collect();
    let named = waits
        .into_iter()
        .filter(|(name, _)| needs.named.contains(&name.event) || reached.contains(&name.event));
    found.named = named.map(|it| Waiting { event: None, ..waiting(it) }).collect();
    found
}

fn is_reached(heights: Heights, shard: ChainId, name: &WaitName, wait: &Wait) -> bool {
    heights.reached(name.finality, shard).is_some_and(|block| wait.block_number <= block)
}

/// Stores what a batch changed.
pub(super) fn change(waits: &mut Waits, shard: ChainId, changes: &WaitChanges) {
    for (name, wait) in changes {
        let key = (shard, name.clone());
        match wait {
            Some(wait) => waits.insert(key, wait.clone()),
            None => waits.remove(&key),
        };
    }
}
