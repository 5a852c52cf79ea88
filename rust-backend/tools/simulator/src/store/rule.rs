//! Triggers, in the few shapes that worlds have.

use std::collections::BTreeMap;

use event_engine::condition::Condition;
use event_engine::finality::Finality;
use event_engine::index::TriggerIndex;
use event_engine::trigger::group_by::GroupBy;
use event_engine::trigger::{Selectors, Start, Trigger, TriggerId};

/// The condition of a trigger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// None.
    Always,
    /// `score < …`
    ScoreBelow(i64),
    /// `count(…s) >= …`
    Crowded {
        /// The window, in seconds.
        window_s: i64,
        /// The least that fires.
        at_least: usize,
    },
    /// `ema(score, …) < …`
    Sinking {
        /// What the average is taken over.
        periods: u32,
        /// The threshold.
        below: i64,
    },
}

impl When {
    /// As a user writes it.
    pub fn source(self) -> Option<String> {
        match self {
            Self::Always => None,
            Self::ScoreBelow(limit) => Some(format!("score < {limit}")),
            Self::Crowded { window_s, at_least } => {
                Some(format!("count({window_s}s) >= {at_least}"))
            }
            Self::Sinking { periods, below } => Some(format!("ema(score, {periods}) < {below}")),
        }
    }
}

/// What has become of a trigger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RuleState {
    /// It is judged.
    Active,
    /// It is kept and not judged.
    Disabled,
    /// It is gone for its account.
    Removed,
}

/// A trigger at one of its versions.
#[derive(Clone, Debug)]
pub struct Rule {
    /// What names it.
    pub id: TriggerId,
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: i32,
    /// What has become of it.
    pub state: RuleState,
    /// How often its account removed it.
    pub removals: u32,
    /// Chains; none means all.
    pub chains: Vec<i64>,
    /// The registry.
    pub registry: Option<&'static str>,
    /// Names of events; none means all.
    pub events: Vec<&'static str>,
    /// Agents; none means all.
    pub agents: Vec<u64>,
    /// The condition.
    pub when: When,
    /// Whether each agent's events are a group of their own.
    pub grouped: bool,
    /// Block time between two firings of a group, in seconds.
    pub cooldown_s: Option<i64>,
    /// How deep an event has to lie.
    pub finality: Finality,
    /// The version at which its state began.
    pub lineage: i32,
    /// Block time from which it fires.
    pub since: i64,
    /// Its actions with their versions.
    pub actions: Vec<(String, i32)>,
    /// Where its actions go.
    pub receiver: usize,
}

impl Rule {
    /// The trigger as the engine judges by it.
    pub fn trigger(&self) -> Trigger {
        let source = self.when.source();
        Trigger {
            id: self.id,
            version: self.version,
            selectors: Selectors {
                chains: self.chains.clone(),
                registry: self.registry.map(str::to_owned),
                events: self.events.iter().map(|&event| event.to_owned()).collect(),
                agents: self.agents.iter().map(u64::to_string).collect(),
            },
            condition: source.map(|source| Condition::parse(&source).expect("it parses")),
            group_by: self.grouped.then(|| GroupBy::parse("agent_id").expect("it parses")),
            cooldown_s: self.cooldown_s,
            finality: self.finality,
            lineage: self.lineage,
            start: Start::at(self.since),
            actions: self.actions.clone(),
        }
    }

    /// Whether what an earlier version remembers is what this one would.
    pub fn carries_on(&self, earlier: &Self) -> bool {
        let function = |rule: &Self| match rule.when {
            When::Always | When::ScoreBelow(_) => (0, 0),
            When::Crowded { window_s, .. } => (1, window_s),
            When::Sinking { periods, .. } => (2, i64::from(periods)),
        };
        let selectors = |rule: &Self| {
            (rule.chains.clone(), rule.registry, rule.events.clone(), rule.agents.clone())
        };
        earlier.state == RuleState::Active
            && selectors(self) == selectors(earlier)
            && function(self) == function(earlier)
            && (self.grouped, self.cooldown_s) == (earlier.grouped, earlier.cooldown_s)
            && self.finality == earlier.finality
    }
}

/// The triggers there are, and the revision of them all.
#[derive(Clone, Debug, Default)]
pub struct TriggerSet {
    /// Rises with each change.
    pub revision: i64,
    /// The version in force of each trigger.
    pub rules: BTreeMap<TriggerId, Rule>,
}

impl TriggerSet {
    /// Those that are judged.
    pub fn active(&self) -> Vec<Rule> {
        let active = self.rules.values().filter(|rule| rule.state == RuleState::Active);
        active.cloned().collect()
    }

    /// Those that are judged, as the engine wants them.
    pub fn index(&self) -> TriggerIndex {
        TriggerIndex::new(self.revision, self.active().iter().map(Rule::trigger).collect())
    }
}
