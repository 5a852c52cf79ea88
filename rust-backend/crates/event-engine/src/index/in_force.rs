//! A trigger in force, as judging knows it.

use std::fmt;

use crate::condition::{Condition, Function};
use crate::event::Event;
use crate::finality::Finality;
use crate::state::GroupName;
use crate::trigger::TriggerId;
use crate::trigger::group_by::GroupBy;

use super::TriggerIndex;
use super::rule::Rule;

/// What an index keeps of each trigger for itself.
#[derive(Clone, Copy, Debug)]
pub(super) struct Record {
    pub(super) id: TriggerId,
    pub(super) since: i64,
    pub(super) version: i32,
    pub(super) lineage: i32,
    pub(super) rule: u32,
    pub(super) actions: u32,
}

/// A version of a trigger that is in force, ready to judge. Its selectors are the index's keys.
#[derive(Clone, Copy)]
pub struct InForce<'a> {
    index: &'a TriggerIndex,
    record: &'a Record,
}

impl<'a> InForce<'a> {
    pub(super) fn new(index: &'a TriggerIndex, record: &'a Record) -> Self {
        Self { index, record }
    }

    /// What names it.
    pub fn id(self) -> TriggerId {
        self.record.id
    }

    /// Its version.
    pub fn version(self) -> i32 {
        self.record.version
    }

    /// The version at which its state began.
    pub fn lineage(self) -> i32 {
        self.record.lineage
    }

    /// Block time from which it fires, unix seconds.
    pub fn since(self) -> i64 {
        self.record.since
    }

    /// What must hold for an event that its selectors take.
    pub fn condition(self) -> Option<&'a Condition> {
        self.rule().condition.as_ref()
    }

    /// What parts its events into groups, each with a state of its own.
    pub fn group_by(self) -> Option<&'a GroupBy> {
        self.rule().group_by.as_ref()
    }

    /// Block time between two firings of a group, in seconds.
    pub fn cooldown_s(self) -> Option<i64> {
        self.rule().cooldown_s
    }

    /// How deep an event has to lie before it is judged.
    pub fn finality(self) -> Finality {
        self.rule().finality
    }

    /// The id and version of each action.
    pub fn actions(self) -> &'a [(String, i32)] {
        &self.index.actions[self.record.actions as usize]
    }

    /// The stateful functions of its condition.
    pub fn functions(self) -> &'a [Function] {
        self.rule().functions()
    }

    /// Whether it remembers the events that its selectors take.
    pub fn has_state(self) -> bool {
        self.rule().has_state()
    }

    /// The group that an event falls into. `None` where it has no value to be grouped by.
    pub fn group(self, event: &Event) -> Option<GroupName> {
        let key = match self.group_by() {
            Some(group_by) => group_by.key(event)?,
            None => Box::default(),
        };
        Some(GroupName { trigger: self.id(), lineage: self.lineage(), key })
    }

    fn rule(self) -> &'a Rule {
        &self.index.rules[self.record.rule as usize]
    }
}

/// By its name: an index is no reading matter.
impl fmt::Debug for InForce<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InForce").field("id", &self.id()).field("version", &self.version()).finish()
    }
}
