//! Triggers: the events they fire on, from when, and their actions.

pub mod action;
pub mod config;
pub mod group_by;

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::condition::Condition;
use crate::event::{ChainId, Event};
use crate::finality::Finality;
use crate::job::stable_id;
use crate::trigger::action::ActionSpec;
use crate::trigger::group_by::GroupBy;

/// The name of a trigger: a function of its account and its name, for life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TriggerId(pub Uuid);

impl TriggerId {
    /// Names the trigger `name` of `account`.
    pub fn of(account: &str, name: &str) -> Self {
        Self(stable_id("agentauri trigger", &[account.as_bytes(), name.as_bytes()]))
    }
}

impl fmt::Display for TriggerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The events that a trigger selects, before its condition is evaluated. An empty list means all.
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

/// The content of a version of a trigger, apart from its name, actions and `since`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "StoredDefinition")]
pub struct Definition {
    /// The events that it selects.
    #[serde(flatten)]
    pub selectors: Selectors,
    /// The condition as it was written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub when: Option<String>,
    /// The canonical name of the value that groups events. Each group has a state and a `cooldown`
    /// of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group_by: Option<String>,
    /// Seconds of block time in which a group fires at most once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cooldown_s: Option<i64>,
    /// The finality that an event must have to be judged.
    #[serde(default, skip_serializing_if = "is_instant")]
    pub finality: Finality,
    /// Set if it selects every event on purpose.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub match_all: bool,
    /// Set if its names and types were not to be checked against the known events.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unchecked: bool,
}

impl Definition {
    /// True if the state gathered under `earlier` continues under this definition: it observes the
    /// same events in the same groups and order, and takes the same samples.
    pub fn carries_on(&self, earlier: &Self) -> bool {
        let functions = |definition: &Self| -> Option<Vec<String>> {
            let condition = definition.when.as_deref().map(Condition::parse).transpose().ok()?;
            let functions = condition.as_ref().map_or(&[][..], Condition::functions);
            Some(functions.iter().map(ToString::to_string).collect())
        };
        self.selectors == earlier.selectors
            && self.group_by == earlier.group_by
            && self.cooldown_s == earlier.cooldown_s
            && self.finality == earlier.finality
            && functions(self).is_some_and(|ours| Some(ours) == functions(earlier))
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
fn is_instant(finality: &Finality) -> bool {
    *finality == Finality::Instant
}

/// A definition as it is stored: flat. It parses in one pass, where `flatten` would take two, and a
/// processor parses every definition. A key written by a later release is refused: without it the
/// trigger would match more than its account wrote.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredDefinition {
    #[serde(default)]
    chains: Vec<i64>,
    registry: Option<String>,
    #[serde(default)]
    events: Vec<String>,
    #[serde(default)]
    agents: Vec<String>,
    when: Option<String>,
    group_by: Option<String>,
    cooldown_s: Option<i64>,
    #[serde(default)]
    finality: Finality,
    #[serde(default)]
    match_all: bool,
    #[serde(default)]
    unchecked: bool,
}

impl From<StoredDefinition> for Definition {
    fn from(stored: StoredDefinition) -> Self {
        let StoredDefinition { chains, registry, events, agents, .. } = stored;
        Self {
            selectors: Selectors { chains, registry, events, agents },
            when: stored.when,
            group_by: stored.group_by,
            cooldown_s: stored.cooldown_s,
            finality: stored.finality,
            match_all: stored.match_all,
            unchecked: stored.unchecked,
        }
    }
}

/// The block time from which a trigger fires.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Since {
    /// The time at which the trigger was created.
    Creation,
    /// Unix seconds; 0 is `genesis`.
    Time(i64),
}

/// A trigger as its account wrote it; with [`WrittenAction`](action::WrittenAction)s until their
/// kinds have checked them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TriggerSpec<A = ActionSpec> {
    /// Its name, unique in its account.
    pub name: String,
    /// Its definition.
    pub definition: Definition,
    /// The time from which it fires.
    pub since: Since,
    /// Its actions.
    pub actions: Vec<A>,
}

/// The events from which a trigger fires.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Start {
    /// Block time, unix seconds: later events, and those of that time.
    pub since: i64,
    /// Heights above which events of any time fire: of each chain whose blocks were late
    /// when the trigger was made, the head then.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub heads: BTreeMap<ChainId, i64>,
}

impl Start {
    /// By block time alone.
    pub fn at(since: i64) -> Self {
        Self { since, heads: BTreeMap::new() }
    }

    /// True of an event from which the trigger fires.
    pub fn takes(&self, event: &Event) -> bool {
        is_taken(self.since, &self.heads, event)
    }
}

/// True of an event from which a trigger with these parts of a [`Start`] fires.
pub(crate) fn is_taken(since: i64, heads: &BTreeMap<ChainId, i64>, event: &Event) -> bool {
    let is_new = || heads.get(&event.chain_id).is_some_and(|head| *head < event.block_number);
    since <= event.name.timestamp || is_new()
}

/// A version of a trigger in force, as an index takes it in. Once indexed, it is an
/// [`InForce`](crate::index::InForce).
#[derive(Clone, Debug)]
pub struct Trigger {
    /// Its id.
    pub id: TriggerId,
    /// Its version.
    pub version: i32,
    /// The events that it selects.
    pub selectors: Selectors,
    /// The condition on them.
    pub condition: Option<Condition>,
    /// The value that groups them; each group has a state of its own.
    pub group_by: Option<GroupBy>,
    /// Block time between two firings of a group, in seconds.
    pub cooldown_s: Option<i64>,
    /// The finality that an event must have to be judged.
    pub finality: Finality,
    /// The version at which its state began.
    pub lineage: i32,
    /// The events from which it fires.
    pub start: Start,
    /// The id and version of each action.
    pub actions: Vec<(String, i32)>,
}
