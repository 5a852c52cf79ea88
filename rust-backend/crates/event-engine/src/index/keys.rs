//! Selectors of triggers as numeric keys, and their lookup by an event.
//!
//! Chain, registry and event type together are a **topic**; there are few. A trigger selects
//! topics, or agents within them. Each of the three may be "any"; the set of the named ones
//! is the topic's **shape**. An event has one topic of each shape, so it takes one or two lookups
//! for each shape that occurs, however many triggers there are.

use crate::event::Event;
use crate::event::shape::ALIAS;
use crate::trigger::Selectors;

use super::candidates::PostingLists;
use super::hashing::Map;
use super::posting::{Lists, Posting};

/// The number of possible shapes.
pub(super) const SHAPES: usize = 8;

/// The keys of all triggers.
#[derive(Debug, Default)]
pub(super) struct Keys {
    /// Names of registries, of events, and of agents without a number of their own; from 1.
    names: Map<Box<str>, u32>,
    topics: Map<TopicKey, Topic>,
    /// The shapes that occur, each once.
    shapes: Vec<Shape>,
    by_agent: Map<AgentKey, Posting>,
    lists: Lists,
}

/// `None` and 0 stand for "any".
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct TopicKey {
    chain: Option<i64>,
    registry: u32,
    event: u32,
}

/// The triggers of a topic.
#[derive(Clone, Copy, Debug)]
struct Topic {
    number: u32,
    /// Triggers that select every agent.
    of_all: Option<Posting>,
    /// True if other triggers select single agents.
    of_agents: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct AgentKey {
    topic: u32,
    agent: Agent,
}

/// An agent as a number: its own, or else that of its name. Stored in halves, so that its key has
/// no padding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Agent {
    high: u32,
    low: u32,
}

/// The parts that a topic names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Shape {
    chain: bool,
    registry: bool,
    event: bool,
}

const ANY: u32 = 0;

/// Digits of an agent that is its own number: 10^18 leaves the highest bit to names.
const AGENT_DIGITS_MAX: usize = 18;
const IS_NAME: u64 = 1 << 63;

impl Keys {
    /// Adds a trigger's selectors. The numbers of triggers must ascend.
    pub(super) fn add(&mut self, trigger: u32, selectors: &Selectors) {
        let chains = or_any(&selectors.chains, |chain| Some(*chain), None);
        let registry = selectors.registry.as_deref().map_or(ANY, |name| self.name(name));
        let mut events = or_any(&selectors.events, |name| self.name(name), ANY);
        if selectors.events.iter().any(|name| name == ALIAS.0) {
            events.push(self.name(ALIAS.1));
            events.sort_unstable();
            events.dedup();
        }
        let agents = or_any(&selectors.agents, |agent| Some(self.agent(agent)), None);
        for &chain in &chains {
            for &event in &events {
                self.add_to_topic(trigger, TopicKey { chain, registry, event }, &agents);
            }
        }
    }

    /// Frees unused capacity.
    pub(super) fn shrink(&mut self) {
        self.by_agent.shrink_to_fit();
        self.lists.iter_mut().for_each(Vec::shrink_to_fit);
        self.lists.shrink_to_fit();
    }

    /// The triggers that select the event.
    pub(super) fn find(&self, event: &Event) -> PostingLists<'_> {
        let mut found = PostingLists::default();
        let registry = self.names.get(&*event.registry);
        let event_type = self.names.get(&*event.event_type);
        let mut agent = None;
        for shape in &self.shapes {
            let named =
                |named: bool, name: Option<&u32>| if named { name.copied() } else { Some(ANY) };
            let chain = shape.chain.then_some(event.chain_id.0);
            let (Some(registry), Some(event_type)) =
                (named(shape.registry, registry), named(shape.event, event_type))
            else {
                continue;
            };
            let key = TopicKey { chain, registry, event: event_type };
            let Some(topic) = self.topics.get(&key) else { continue };
            if let Some(of_all) = &topic.of_all {
                found.push(of_all.triggers(&self.lists));
            }
            if topic.of_agents
                && let Some(agent) = *agent.get_or_insert_with(|| self.agent_of(event))
                && let Some(of_agent) = self.by_agent.get(&AgentKey { topic: topic.number, agent })
            {
                found.push(of_agent.triggers(&self.lists));
            }
        }
        found
    }

    fn add_to_topic(&mut self, trigger: u32, key: TopicKey, agents: &[Option<Agent>]) {
        let next = u32::try_from(self.topics.len()).expect("fewer than 2^32 topics");
        let topic = self.topics.entry(key).or_insert_with(|| {
            let shape = key.shape();
            if !self.shapes.contains(&shape) {
                self.shapes.push(shape);
            }
            Topic { number: next, of_all: None, of_agents: false }
        });
        for agent in agents {
            let Some(agent) = *agent else {
                match &mut topic.of_all {
                    Some(posting) => posting.push(trigger, &mut self.lists),
                    none => *none = Some(Posting::of(trigger)),
                }
                continue;
            };
            topic.of_agents = true;
            self.by_agent
                .entry(AgentKey { topic: topic.number, agent })
                .and_modify(|posting| posting.push(trigger, &mut self.lists))
                .or_insert_with(|| Posting::of(trigger));
        }
    }

    fn name(&mut self, text: &str) -> u32 {
        if let Some(name) = self.names.get(text) {
            return *name;
        }
        let name = u32::try_from(self.names.len() + 1).expect("fewer than 2^32 names");
        self.names.insert(text.into(), name);
        name
    }

    fn agent(&mut self, text: &str) -> Agent {
        Agent::numbered(text).unwrap_or_else(|| Agent::named(self.name(text)))
    }

    /// `None` if the event has no agent, or its agent is in no trigger.
    fn agent_of(&self, event: &Event) -> Option<Agent> {
        let text = event.agent_id.as_deref()?;
        Agent::numbered(text).or_else(|| self.names.get(text).copied().map(Agent::named))
    }
}

impl Agent {
    /// The number of an agent whose text is a short canonical decimal. Agents are equal only if
    /// their texts are, so `007` is not 7.
    fn numbered(text: &str) -> Option<Self> {
        let digits = text.as_bytes();
        let canonical = match digits {
            [] => false,
            [b'0', rest @ ..] => rest.is_empty(),
            _ => digits.len() <= AGENT_DIGITS_MAX,
        };
        if !canonical {
            return None;
        }
        let number = digits.iter().try_fold(0, |sum: u64, digit| {
            digit.is_ascii_digit().then(|| sum * 10 + u64::from(digit - b'0'))
        });
        number.map(Self::of)
    }

    fn named(name: u32) -> Self {
        Self::of(IS_NAME | u64::from(name))
    }

    fn of(number: u64) -> Self {
        let half = |of: u64| u32::try_from(of & u64::from(u32::MAX)).expect("32 bits are left");
        Self { high: half(number >> 32), low: half(number) }
    }
}

impl TopicKey {
    fn shape(&self) -> Shape {
        Shape {
            chain: self.chain.is_some(),
            registry: self.registry != ANY,
            event: self.event != ANY,
        }
    }
}

/// The distinct values of a selector, or "any" if it is empty.
fn or_any<T, U: Ord>(values: &[T], mut of: impl FnMut(&T) -> U, any: U) -> Vec<U> {
    let mut of_each: Vec<U> = values.iter().map(&mut of).collect();
    of_each.sort_unstable();
    of_each.dedup();
    if of_each.is_empty() { vec![any] } else { of_each }
}
