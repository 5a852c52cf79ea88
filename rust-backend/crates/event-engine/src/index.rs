//! The index of triggers: finds the ones for an event without trying the others.
//!
//! A processor holds a million triggers in memory. So equal rules and lists of actions are kept
//! once ([`Rule`]), selectors only as keys, and the rest of a trigger takes 48 bytes. A lookup
//! allocates nothing.

mod builder;
mod candidates;
mod hashing;
mod in_force;
mod keys;
mod posting;
mod rule;

use std::collections::BTreeMap;

use crate::event::{ChainId, Event};
use crate::state::GroupName;
use crate::trigger::{Trigger, TriggerId};

use self::hashing::Map;
use self::in_force::Record;
use self::keys::Keys;
use self::rule::{Actions, Rule};

pub use self::builder::IndexBuilder;
pub use self::candidates::Candidates;
pub use self::in_force::InForce;

/// All triggers in force at one revision of the set, indexed by their selectors.
#[derive(Debug, Default)]
pub struct TriggerIndex {
    revision: i64,
    /// In the order of the set. The index of a trigger here is its number.
    records: Vec<Record>,
    rules: Vec<Rule>,
    heads: Vec<BTreeMap<ChainId, i64>>,
    actions: Vec<Actions>,
    /// Triggers with state, by id.
    observers: Map<TriggerId, u32>,
    keys: Keys,
}

impl TriggerIndex {
    /// Indexes `triggers`, which are in force at `revision`. An [`IndexBuilder`] takes them one by
    /// one, so that they are never all in memory twice.
    pub fn new(revision: i64, triggers: Vec<Trigger>) -> Self {
        let mut builder = IndexBuilder::default();
        for trigger in triggers {
            builder.add(trigger);
        }
        builder.finish(revision)
    }

    /// The revision of the set.
    pub fn revision(&self) -> i64 {
        self.revision
    }

    /// The number of triggers in force.
    pub fn len(&self) -> usize {
        self.records.len()
    }

    /// True where no trigger is in force.
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// The number of different combinations of condition, grouping, cooldown and finality.
    pub fn rules(&self) -> usize {
        self.rules.len()
    }

    /// True if any trigger has state.
    pub fn has_state(&self) -> bool {
        !self.observers.is_empty()
    }

    /// The trigger of a group. `None` if the group's lineage is no longer in force.
    pub fn observer(&self, group: &GroupName) -> Option<InForce<'_>> {
        let trigger = self.numbered(*self.observers.get(&group.trigger)?);
        (trigger.lineage() == group.lineage).then_some(trigger)
    }

    /// The triggers whose selectors take the event, each once, in the order of the set.
    pub fn candidates(&self, event: &Event) -> Candidates<'_> {
        Candidates::new(self, self.keys.find(event))
    }

    fn numbered(&self, number: u32) -> InForce<'_> {
        InForce::new(self, &self.records[number as usize])
    }
}
