//! Differences between stored events and a node's logs.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::ops::RangeInclusive;

use event_engine::event::EventName;
use event_store::chain::gaps::{self, StoredLog};
use event_store::events::new_events::NewEvent;
use futures::StreamExt;

use super::Checking;
use crate::Result;
use crate::settings::ChainRole as _;

/// A node's blocks by height, each as its hash and its parent's.
pub(super) type NodeBlocks = BTreeMap<i64, (String, String)>;

/// Events of some blocks that are missing, or stored otherwise than the node has them.
#[derive(Default)]
pub(super) struct Difference {
    /// Logs without a row.
    pub(super) missing: Vec<NewEvent>,
    /// Logs whose valid row differs, with its columns.
    pub(super) differing: Vec<(NewEvent, Vec<String>)>,
    /// Valid rows that claim to be logs of the registries and are not.
    pub(super) forged: Vec<StoredLog>,
    pub(super) blocks: NodeBlocks,
    /// Logs whose row is invalidated.
    pub(super) invalidated: u64,
    /// Other valid rows that name no log of the chain.
    pub(super) not_on_chain: u64,
}

impl<P: Fn(u64, u64)> Checking<'_, P> {
    pub(super) async fn difference(&self, heights: RangeInclusive<i64>) -> Result<Difference> {
        let mut fetched = self.fetched(heights.clone());
        let mut found = Difference::default();
        let mut on_chain = Vec::new();
        while let Some(block) = fetched.next().await {
            let block = block?;
            let row = block.row;
            found.blocks.insert(row.block_number, (row.block_hash, row.parent_hash));
            on_chain.extend(block.events);
        }
        let store = &self.store;
        let stored = gaps::stored(&store.pool, store.id, heights, &store.claims).await;
        let stored = store.named(stored)?;
        let differing = store.named(gaps::differing(&store.pool, &on_chain).await)?;
        let mut columns: HashMap<EventName, Vec<String>> =
            differing.into_iter().map(|row| (row.name, row.columns)).collect();
        let mut rows = Rows::of(&stored, !self.check.settings.is_followed_by_the_auditor());
        for log in on_chain {
            match rows.take(&log) {
                Some(row) if row.invalidated => found.invalidated += 1,
                Some(_) => {}
                None if columns.contains_key(&log.name) => {}
                None => {
                    found.missing.push(log);
                    continue;
                }
            }
            if let Some(columns) = columns.remove(&log.name) {
                found.differing.push((log, columns));
            }
        }
        for row in rows.others() {
            if row.claims {
                found.forged.push(row.clone());
            } else if !rows.places.contains(&(row.block_hash.clone(), row.log_index)) {
                found.not_on_chain += 1;
            }
        }
        Ok(found)
    }
}

/// Stored rows, of which the logs take theirs.
struct Rows<'s> {
    stored: &'s [StoredLog],
    by_name: HashMap<&'s EventName, usize>,
    /// Used if the auditor is the chain's writer: then inserters name events as they like, and only
    /// the place says which log it is.
    by_place: HashMap<(&'s str, i32), Vec<usize>>,
    taken: HashSet<usize>,
    /// The logs' places: block hash and index.
    places: HashSet<(String, i32)>,
}

impl<'s> Rows<'s> {
    fn of(stored: &'s [StoredLog], by_name_only: bool) -> Self {
        let mut by_place: HashMap<_, Vec<usize>> = HashMap::new();
        for (at, row) in stored.iter().enumerate().filter(|_| !by_name_only) {
            by_place.entry((row.block_hash.as_str(), row.log_index)).or_default().push(at);
        }
        let by_name = stored.iter().enumerate().map(|(at, row)| (&row.name, at)).collect();
        Self { stored, by_name, by_place, taken: HashSet::new(), places: HashSet::new() }
    }

    /// The row of a log, a valid one if there is one.
    fn take(&mut self, log: &NewEvent) -> Option<&'s StoredLog> {
        self.places.insert((log.block_hash.clone(), log.log_index));
        let named = self.by_name.get(&log.name).copied();
        let placed = self.by_place.get(&(log.block_hash.as_str(), log.log_index));
        let all = || {
            let all = named.into_iter().chain(placed.into_iter().flatten().copied());
            all.filter(|at| !self.taken.contains(at))
        };
        let valid = all().find(|at| !self.stored[*at].invalidated);
        let at = valid.or_else(|| all().next())?;
        self.taken.insert(at);
        Some(&self.stored[at])
    }

    /// The valid rows that belong to no log.
    fn others(&self) -> impl Iterator<Item = &'s StoredLog> {
        let stored = self.stored.iter().enumerate();
        let others = stored.filter(|(at, row)| !row.invalidated && !self.taken.contains(at));
        others.map(|(_, row)| row)
    }
}
