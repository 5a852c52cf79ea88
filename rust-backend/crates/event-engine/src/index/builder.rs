//! Builds an index trigger by trigger, and keeps equal parts once.

use std::collections::BTreeMap;
use std::hash::Hash;

use crate::event::ChainId;
use crate::trigger::{Trigger, TriggerId};

use super::hashing::Map;
use super::in_force::Record;
use super::rule::{Actions, Rule};
use super::{Keys, TriggerIndex};

/// An index under construction.
#[derive(Debug, Default)]
pub struct IndexBuilder {
    records: Vec<Record>,
    rules: Vec<Rule>,
    rule_numbers: Map<Rule, u32>,
    heads: Vec<BTreeMap<ChainId, i64>>,
    heads_numbers: Map<BTreeMap<ChainId, i64>, u32>,
    actions: Vec<Actions>,
    actions_numbers: Map<Actions, u32>,
    observers: Map<TriggerId, u32>,
    keys: Keys,
}

impl IndexBuilder {
    /// Adds a trigger behind all earlier ones: the set's order is that of addition.
    pub fn add(&mut self, trigger: Trigger) {
        let number = number(&self.records);
        let Trigger { condition, group_by, cooldown_s, finality, start, actions, .. } = trigger;
        let rule = Rule { condition, group_by, cooldown_s, finality };
        if rule.has_state() {
            self.observers.insert(trigger.id, number);
        }
        self.keys.add(number, &trigger.selectors);
        self.records.push(Record {
            id: trigger.id,
            since: start.since,
            heads: shared(start.heads, &mut self.heads, &mut self.heads_numbers),
            version: trigger.version,
            lineage: trigger.lineage,
            rule: shared(rule, &mut self.rules, &mut self.rule_numbers),
            actions: shared(actions.into(), &mut self.actions, &mut self.actions_numbers),
        });
    }

    /// The index of the added triggers, which are in force at `revision`.
    pub fn finish(self, revision: i64) -> TriggerIndex {
        let Self { mut records, rules, heads, actions, mut observers, mut keys, .. } = self;
        records.shrink_to_fit();
        observers.shrink_to_fit();
        keys.shrink();
        TriggerIndex { revision, records, rules, heads, actions, observers, keys }
    }
}

/// The number of a value in `kept`, to which a new value is added.
fn shared<T: Clone + Eq + Hash>(value: T, kept: &mut Vec<T>, numbers: &mut Map<T, u32>) -> u32 {
    if let Some(known) = numbers.get(&value) {
        return *known;
    }
    let new = number(kept);
    kept.push(value.clone());
    numbers.insert(value, new);
    new
}

fn number<T>(kept: &[T]) -> u32 {
    u32::try_from(kept.len()).expect("fewer than 2^32 triggers")
}
