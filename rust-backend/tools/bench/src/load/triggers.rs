//! The triggers in force: nearly all select one agent on one chain, as users' do.

use event_engine::delivery::destination::{AddressForm, Destination};
use event_engine::delivery::terms::DeliveryTerms;
use event_engine::trigger::action::ActionSpec;
use event_engine::trigger::config::ConfigNode;
use event_engine::trigger::{Definition, Selectors, Since, TriggerId, TriggerSpec};

use super::{CHAINS, FIRST_CHAIN};

/// The registries, each with the event type that its triggers select.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Identity,
    Reputation,
    Validation,
}

pub(crate) const KINDS: [Kind; 3] = [Kind::Identity, Kind::Reputation, Kind::Validation];

impl Kind {
    pub(crate) fn registry(self) -> &'static str {
        match self {
            Self::Identity => "identity",
            Self::Reputation => "reputation",
            Self::Validation => "validation",
        }
    }

    pub(crate) fn event(self) -> &'static str {
        match self {
            Self::Identity => "MetadataSet",
            Self::Reputation => "NewFeedback",
            Self::Validation => "ValidationResponse",
        }
    }

    /// The condition, and its equivalent for the yardstick: (field, operator, value), all of which
    /// must hold.
    pub(crate) fn condition(
        self,
    ) -> (&'static str, &'static [(&'static str, &'static str, &'static str)]) {
        match self {
            Self::Identity => {
                ("metadataKey == 'agentWallet'", &[("metadataKey", "==", "agentWallet")])
            }
            Self::Reputation => (
                "score < 60 && tag1 == 'uptime'",
                &[("score", "<", "60"), ("tag1", "==", "uptime")],
            ),
            Self::Validation => ("response < 50", &[("response", "<", "50")]),
        }
    }
}

/// Pairs of a chain and a registry. Trigger `n` belongs to pair `n % PAIRS`.
pub(crate) const PAIRS: u32 = CHAINS * 3;
/// A prime number of agents, so that stepping through them meets each once.
const AGENTS: u32 = 99_991;
/// Distance of agents between consecutive triggers of a pair, and between pairs.
const STEP: u32 = 61;
const SHIFT: u32 = 1_327;
/// A secret for the bench alone.
pub(crate) const SECRET: &str = "whsec_YWdlbnRhdXJpIGJlbmNoIHNlY3JldCBvZiAzMiBieXRl";

/// Triggers numbered from 0. Behind them stands one per chain that selects every agent's feedback
/// and never fires, so that conditions are evaluated for events that match nothing, too.
#[derive(Clone, Debug)]
pub(crate) struct TriggerSet {
    /// The number of all triggers.
    pub(crate) count: u32,
    /// The URLs of their webhooks, used in turn.
    urls: Vec<String>,
}

impl TriggerSet {
    /// A set of `count` triggers, at least one per pair and one per chain. `urls` must not be
    /// empty.
    pub(crate) fn new(count: u32, urls: Vec<String>) -> Self {
        Self { count: count.max(PAIRS + CHAINS), urls }
    }

    /// The number of triggers that select one agent.
    fn of_agents(&self) -> u32 {
        self.count - CHAINS
    }

    /// The number of these that belong to the pair.
    pub(crate) fn of_pair(&self, pair: u32) -> u32 {
        (self.of_agents() - pair).div_ceil(PAIRS)
    }

    /// The agent that trigger `number` selects. No other trigger of its pair does, below 7 million.
    pub(crate) fn agent(number: u32) -> u32 {
        1 + ((number / PAIRS) * STEP + (number % PAIRS) * SHIFT) % AGENTS
    }

    /// An agent that no trigger selects.
    pub(crate) fn stranger(number: u64) -> u64 {
        u64::from(AGENTS) + 1 + number % 1_000_000
    }

    pub(crate) fn pair(number: u32) -> (i64, Kind) {
        let pair = number % PAIRS;
        (FIRST_CHAIN + i64::from(pair % CHAINS), KINDS[(pair / CHAINS) as usize])
    }

    pub(crate) fn id(number: u32) -> TriggerId {
        TriggerId::of("default", &name(number))
    }

    pub(crate) fn url(&self, number: u32) -> &str {
        &self.urls[number as usize % self.urls.len()]
    }

    /// The chain of a trigger that selects every agent; `None` for the others.
    pub(crate) fn wide(&self, number: u32) -> Option<i64> {
        number.checked_sub(self.of_agents()).map(|chain| FIRST_CHAIN + i64::from(chain))
    }

    /// The trigger as its account writes it.
    pub(crate) fn spec(&self, number: u32) -> TriggerSpec {
        let (selectors, when) = if let Some(chain) = self.wide(number) {
            (selectors(chain, Kind::Reputation, Vec::new()), NEVER)
        } else {
            let (chain, kind) = Self::pair(number);
            let agents = vec![Self::agent(number).to_string()];
            (selectors(chain, kind, agents), kind.condition().0)
        };
        TriggerSpec {
            name: name(number),
            definition: Definition {
                selectors,
                when: Some(when.to_owned()),
                ..Definition::default()
            },
            since: Since::Time(0),
            actions: vec![webhook(self.url(number))],
        }
    }
}

/// The action of every trigger.
pub(crate) const ACTION: &str = "hook";
/// A condition below all scores, so that its trigger never fires, and the yardstick's equivalent.
const NEVER: &str = "score < -1000";
pub(crate) const NEVER_FIELD: (&str, &str, &str) = ("score", "<", "-1000");

/// A webhook to `url`.
pub(crate) fn webhook(url: &str) -> ActionSpec {
    let keys = [("url", ConfigNode::text(url)), ("secret", ConfigNode::text(SECRET))];
    let (id, kind) = (ACTION.to_owned(), "webhook".to_owned());
    let (address, origin) = (url.to_owned(), url.to_owned());
    let destination = Destination { address, form: AddressForm::Url, origin };
    let terms = DeliveryTerms::default();
    ActionSpec { id, kind, terms, destination, config: ConfigNode::table(keys) }
}

fn name(number: u32) -> String {
    format!("bench-{number}")
}

fn selectors(chain: i64, kind: Kind, agents: Vec<String>) -> Selectors {
    Selectors {
        chains: vec![chain],
        registry: Some(kind.registry().to_owned()),
        events: vec![kind.event().to_owned()],
        agents,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn no_two_triggers_share_agent_chain_and_registry() {
        let keys: BTreeSet<(u32, u32)> =
            (0..1_000_000).map(|number| (number % PAIRS, TriggerSet::agent(number))).collect();
        assert_eq!(keys.len(), 1_000_000);
        let agents: BTreeSet<u32> = keys.iter().map(|key| key.1).collect();
        assert!(agents.len() > 99_000, "{}", agents.len());
    }

    #[test]
    fn each_pair_has_its_share() {
        let set = TriggerSet::new(1_000, vec![String::new()]);
        assert_eq!((0..PAIRS).map(|pair| set.of_pair(pair)).sum::<u32>(), 975);
        assert_eq!((set.wide(974), set.wide(975)), (None, Some(FIRST_CHAIN)));
    }
}
