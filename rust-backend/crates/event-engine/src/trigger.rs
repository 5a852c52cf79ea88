//! A trigger: which events fire, since when, and what is done then.

use std::fmt;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::action::ActionConfig;
use crate::condition::Condition;
use crate::job::Name;

/// What names a trigger: a function of its owner and its name, for life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TriggerId(pub Uuid);

impl TriggerId {
    /// Names the trigger `name` of `owner`.
    pub fn of(owner: &str, name: &str) -> Self {
        let mut parts = Name::begin("agentauri trigger");
        parts.part(owner.as_bytes());
        parts.part(name.as_bytes());
        Self(parts.end())
    }
}

impl fmt::Display for TriggerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Which events a trigger speaks of, before its condition is asked. An empty list means all.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Selectors {
    /// Ids of chains.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub chains: Vec<i64>,
    /// The registry.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub registry: Option<String>,
    /// Names of events.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub events: Vec<String>,
    /// Agents, as decimal strings.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub agents: Vec<String>,
}

/// What a version of a trigger says, apart from its name, its actions and its `since`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Definition {
    /// Which events it speaks of.
    #[serde(flatten)]
    pub selectors: Selectors,
    /// The condition as it was written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub when: Option<String>,
    /// Set where it speaks of everything on purpose.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub match_all: bool,
}

/// The block time from which a trigger fires.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Since {
    /// The time at which the trigger was created.
    Creation,
    /// Unix seconds; 0 is `genesis`.
    Time(i64),
}

/// A trigger as its owner wrote it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TriggerSpec {
    /// Its name, unique for its owner.
    pub name: String,
    /// What it says.
    pub definition: Definition,
    /// From when it fires.
    pub since: Since,
    /// What is done then, by the action's id.
    pub actions: Vec<ActionSpec>,
}

/// One action of a trigger as its owner wrote it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ActionSpec {
    /// Its id, or else its type and a hash of its destination.
    pub id: String,
    /// Where it goes, and how.
    pub config: ActionConfig,
}

/// A version of a trigger that is in force, ready to judge.
#[derive(Clone, Debug)]
pub struct Trigger {
    /// What names it.
    pub id: TriggerId,
    /// Its version.
    pub version: i32,
    /// Which events it speaks of.
    pub selectors: Selectors,
    /// What must hold for them.
    pub condition: Option<Condition>,
    /// Block time from which it fires, unix seconds.
    pub since: i64,
    /// The id and version of each action.
    pub actions: Vec<(String, i32)>,
}
