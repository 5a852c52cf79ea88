//! The index of triggers: from an event to those that speak of it, without asking the others.

use std::collections::HashMap;

use crate::event::Event;
use crate::state::GroupName;
use crate::trigger::{Trigger, TriggerId};

/// All triggers in force at one revision of the set, indexed by what they select.
#[derive(Debug, Default)]
pub struct TriggerIndex {
    revision: i64,
    triggers: Vec<Trigger>,
    /// Those with state, by their id.
    observers: HashMap<TriggerId, u32>,
    /// Names of registries, events and agents as numbers; 0 stands for "any".
    symbols: HashMap<Box<str>, u32>,
    by_key: HashMap<Key, Vec<u32>>,
    /// Which combinations of selectors occur at all: at most sixteen look-ups an event.
    shapes: Vec<Shape>,
}

/// One combination of selectors. `None` and 0 stand for "any".
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Key {
    chain: Option<i64>,
    registry: u32,
    event: u32,
    agent: u32,
}

/// Which of the four selectors a key names.
#[expect(clippy::struct_excessive_bools, reason = "four yes-or-no questions are what it is")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Shape {
    chain: bool,
    registry: bool,
    event: bool,
    agent: bool,
}

const ANY: u32 = 0;

/// The seed document's name for what the chain calls `Registered`.
const ALIAS: (&str, &str) = ("AgentRegistered", "Registered");

impl TriggerIndex {
    /// Indexes `triggers`, which are in force at `revision`.
    pub fn new(revision: i64, triggers: Vec<Trigger>) -> Self {
        let mut index = Self { revision, ..Self::default() };
        for (number, trigger) in triggers.iter().enumerate() {
            let number = u32::try_from(number).expect("fewer than 2^32 triggers");
            index.add(number, trigger);
            if trigger.has_state() {
                index.observers.insert(trigger.id, number);
            }
        }
        index.shapes.sort_unstable();
        index.shapes.dedup();
        index.triggers = triggers;
        index
    }

    /// The revision of the set.
    pub fn revision(&self) -> i64 {
        self.revision
    }

    /// How many triggers are in force.
    pub fn len(&self) -> usize {
        self.triggers.len()
    }

    /// True where no trigger is in force.
    pub fn is_empty(&self) -> bool {
        self.triggers.is_empty()
    }

    /// Whether any trigger has state.
    pub fn has_state(&self) -> bool {
        !self.observers.is_empty()
    }

    /// The trigger that a group belongs to. `None` where that lineage is no longer in force.
    pub fn observer(&self, group: &GroupName) -> Option<&Trigger> {
        let trigger = &self.triggers[*self.observers.get(&group.trigger)? as usize];
        (trigger.lineage == group.lineage).then_some(trigger)
    }

    /// The triggers whose selectors take the event, each once, in the order of the set.
    pub fn candidates(&self, event: &Event) -> Vec<&Trigger> {
        let mut numbers = Vec::new();
        for shape in &self.shapes {
            if let Some(found) = self.key(*shape, event).and_then(|key| self.by_key.get(&key)) {
                numbers.extend_from_slice(found);
            }
        }
        // Keys of two shapes are never of one trigger, and one trigger's keys are distinct.
        numbers.sort_unstable();
        numbers.into_iter().map(|number| &self.triggers[number as usize]).collect()
    }

    fn key(&self, shape: Shape, event: &Event) -> Option<Key> {
        let symbol = |named: bool, text: &str| {
            if named { self.symbols.get(text).copied() } else { Some(ANY) }
        };
        Some(Key {
            chain: shape.chain.then_some(event.chain_id.0),
            registry: symbol(shape.registry, &event.registry)?,
            event: symbol(shape.event, &event.event_type)?,
            agent: match (shape.agent, &event.agent_id) {
                (false, _) => ANY,
                (true, Some(agent)) => symbol(true, agent)?,
                (true, None) => return None,
            },
        })
    }

    fn add(&mut self, number: u32, trigger: &Trigger) {
        let selectors = &trigger.selectors;
        let chains = or_any(&selectors.chains, |chain| Some(*chain), None);
        let registry = selectors.registry.as_deref().map_or(ANY, |name| self.symbol(name));
        let mut events = or_any(&selectors.events, |name| self.symbol(name), ANY);
        if selectors.events.iter().any(|name| name == ALIAS.0) {
            events.push(self.symbol(ALIAS.1));
            events.sort_unstable();
            events.dedup();
        }
        let agents = or_any(&selectors.agents, |agent| self.symbol(agent), ANY);
        for &chain in &chains {
            for &event in &events {
                for &agent in &agents {
                    let key = Key { chain, registry, event, agent };
                    self.shapes.push(key.shape());
                    self.by_key.entry(key).or_default().push(number);
                }
            }
        }
    }

    fn symbol(&mut self, text: &str) -> u32 {
        if let Some(symbol) = self.symbols.get(text) {
            return *symbol;
        }
        let symbol = u32::try_from(self.symbols.len() + 1).expect("fewer than 2^32 names");
        self.symbols.insert(text.into(), symbol);
        symbol
    }
}

impl Key {
    fn shape(&self) -> Shape {
        Shape {
            chain: self.chain.is_some(),
            registry: self.registry != ANY,
            event: self.event != ANY,
            agent: self.agent != ANY,
        }
    }
}

/// The values of a selector, each once, or "any" where it names none.
fn or_any<T, U: Ord>(values: &[T], mut of: impl FnMut(&T) -> U, any: U) -> Vec<U> {
    let mut of_each: Vec<U> = values.iter().map(&mut of).collect();
    of_each.sort_unstable();
    of_each.dedup();
    if of_each.is_empty() { vec![any] } else { of_each }
}
