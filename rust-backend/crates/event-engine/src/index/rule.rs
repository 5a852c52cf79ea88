//! The parts that triggers share: users copy each other's conditions, and programs write one
//! condition for thousands of agents.

use std::sync::Arc;

use crate::condition::{Condition, Function};
use crate::finality::Finality;
use crate::trigger::group_by::GroupBy;

/// The judgement of an event that the selectors take. Equal rules are kept once.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Rule {
    pub(super) condition: Option<Condition>,
    pub(super) group_by: Option<GroupBy>,
    pub(super) cooldown_s: Option<i64>,
    pub(super) finality: Finality,
}

/// The id and version of each action. Equal lists are kept once.
pub(super) type Actions = Arc<[(String, i32)]>;

impl Rule {
    pub(super) fn functions(&self) -> &[Function] {
        self.condition.as_ref().map_or(&[], Condition::functions)
    }

    pub(super) fn has_state(&self) -> bool {
        self.cooldown_s.is_some() || !self.functions().is_empty()
    }
}
