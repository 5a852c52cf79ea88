//! A trigger in force, in the form that judging needs.

use std::fmt;

use crate::condition::{Condition, Function};
use crate::event::Event;
use crate::finality::Finality;
use crate::state::GroupName;
use crate::trigger::group_by::GroupBy;
use crate::trigger::{TriggerId, is_taken};

use super::TriggerIndex;
use super::rule::Rule;

/// The part of a trigger that an index does not share among triggers.
#[derive(Clone, Copy, Debug)]
pub(super) struct Record {
    pub(super) id: TriggerId,
    pub(super) since: i64,
    pub(super) heads: u32,
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

    /// Its id.
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

    /// True of an event from which it fires.
    pub fn has_begun_at(self, event: &Event) -> bool {
        is_taken(self.record.since, &self.index.heads[self.record.heads as usize], event)
    }

    /// The condition on events that its selectors take.
    pub fn condition(self) -> Option<&'a Condition> {
        self.rule().condition.as_ref()
    }

    /// The value that groups its events; each group has a state of its own.
    pub fn group_by(self) -> Option<&'a GroupBy> {
        self.rule().group_by.as_ref()
    }

    /// Block time between two firings of a group, in seconds.
    pub fn cooldown_s(self) -> Option<i64> {
        self.rule().cooldown_s
    }

    /// The finality that an event must have to be judged.
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

    /// True if it remembers the events that its selectors take.
    pub fn has_state(self) -> bool {
        self.rule().has_state()
    }

    /// The group of an event. `None` if the event has no value to be grouped by.
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

/// By its name: the index behind it is too large to print.
impl fmt::Debug for InForce<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InForce").field("id", &self.id()).field("version", &self.version()).finish()
    }
}
