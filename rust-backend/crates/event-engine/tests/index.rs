//! The index of triggers: what it weighs, what it shares, and what strangers can do to it.

use event_engine::condition::Condition;
use event_engine::event::{Arguments, ChainId, Event, EventName};
use event_engine::finality::Finality;
use event_engine::index::{InForce, IndexBuilder, TriggerIndex};
use event_engine::trigger::group_by::GroupBy;
use event_engine::trigger::{Selectors, Start, Trigger, TriggerId};
use proptest::prelude::*;
use uuid::Uuid;

/// The worst number for tables that double: with one more than seven eighths of 8,192 keys, the
/// table of agents has just become twice as large.
const TRIGGERS: u32 = 7_169;
/// Ten triggers an agent, each on a chain of its own.
const AGENTS: u32 = 717;

#[test]
fn a_trigger_takes_less_than_two_hundred_bytes() {
    let (bytes, index) = measured(trigger);
    assert_eq!((index.len(), index.rules()), (TRIGGERS as usize, 1));
    assert!(bytes < 100, "{bytes}");
}

#[test]
fn a_trigger_with_its_own_actions_takes_less_than_200_bytes() {
    let (bytes, _) = measured(|number| Trigger {
        actions: vec![(format!("webhook-{number:012}"), 1)],
        ..trigger(number)
    });
    assert!(bytes < 200, "{bytes}");
}

#[test]
fn a_trigger_with_state_takes_less_than_two_hundred_bytes() {
    let (bytes, index) = measured(|number| Trigger {
        condition: Some(condition("count(10m) > 5")),
        group_by: Some(GroupBy::parse("agent_id").expect("a name")),
        cooldown_s: Some(60),
        ..trigger(number)
    });
    assert!(index.has_state());
    assert!(bytes < 200, "{bytes}");
}

#[test]
fn equal_conditions_are_kept_once_however_often_they_were_read() {
    let of = |number: u32, when: &str| Trigger {
        condition: Some(condition(when)),
        selectors: Selectors::default(),
        ..trigger(number)
    };
    let triggers = vec![of(0, "score < 60"), of(1, "score < 61"), of(2, "score < 60")];
    let grouped = Trigger { group_by: GroupBy::parse("tag1").ok(), ..of(3, "score < 60") };
    let index = TriggerIndex::new(1, triggers.into_iter().chain([grouped]).collect());
    let conditions: Vec<_> =
        index.candidates(&event(0)).map(|trigger| trigger.condition().expect("one")).collect();
    assert!(std::ptr::eq(conditions[0], conditions[2]));
    assert_eq!(conditions[1].source(), "score < 61");
    assert_eq!((conditions.len(), index.rules()), (4, 3));
}

#[test]
fn looking_up_allocates_nothing_whoever_asks() {
    let index = index((0..1_000).map(trigger).chain(
        (1_000..1_100).map(|number| Trigger { selectors: Selectors::default(), ..trigger(number) }),
    ));
    let mut events: Vec<Event> = (0..10).map(event).collect();
    events.extend(spellings().into_iter().map(about));
    events.extend((0..1_000_u64).map(|number| about(&(number << 32).to_string())));
    let mut met = 0;
    let asked = || met = events.iter().map(|event| index.candidates(event).count()).sum();
    assert_eq!(allocation_counter::measure(asked).count_total, 0);
    // Each meets those that speak of all; ten their own, and some of the spellings are of it.
    assert!(met >= 100 * events.len() + 10, "{met}");
}

proptest! {
    /// An index knows short decimals by their number, and other agents by their text.
    #[test]
    fn an_agent_is_its_text_and_no_other_that_looks_like_it(
        selected in prop::collection::vec(prop::sample::subsequence(spellings(), 1..4), 1..20),
    ) {
        let triggers = selected.iter().zip(0..).map(|(agents, number)| {
            let agents = agents.iter().map(ToString::to_string).collect();
            let selectors = Selectors { agents, ..Selectors::default() };
            Trigger { selectors, ..trigger(number) }
        });
        let index = index(triggers);
        for agent in spellings() {
            let found: Vec<_> = index.candidates(&about(agent)).map(InForce::id).collect();
            let named = selected.iter().zip(0..).filter(|(agents, _)| agents.contains(&agent));
            let expected: Vec<_> = named.map(|(_, number)| trigger(number).id).collect();
            prop_assert_eq!(found, expected, "{}", agent);
        }
    }
}

/// Texts that a careless reader of numbers takes for each other.
fn spellings() -> Vec<&'static str> {
    vec![
        "",
        "0",
        "00",
        "7",
        "07",
        "007",
        "+7",
        "-7",
        " 7",
        "7 ",
        "7.0",
        "0x7",
        "７",
        "7\0",
        "4294967303",                              // 7 + 2^32
        "18446744073709551623",                    // 7 + 2^64
        "9223372036854775815",                     // 7 + 2^63
        "999999999999999999",                      // the widest that is its own number
        "1000000000000000000",                     // and one more
        "340282366920938463463374607431768211463", // 7 + 2^128
        "registry",
    ]
}

/// The bytes a trigger that an index of them keeps.
fn measured(of: impl Fn(u32) -> Trigger) -> (u64, TriggerIndex) {
    let mut built = None;
    let kept = allocation_counter::measure(|| built = Some(index((0..TRIGGERS).map(of))));
    let bytes = u64::try_from(kept.bytes_current).expect("an index has some");
    (bytes / u64::from(TRIGGERS), built.expect("it was built"))
}

fn index(triggers: impl Iterator<Item = Trigger>) -> TriggerIndex {
    let mut index = IndexBuilder::default();
    triggers.for_each(|trigger| index.add(trigger));
    index.finish(1)
}

fn condition(when: &str) -> Condition {
    Condition::parse(when).expect("a condition")
}

fn trigger(number: u32) -> Trigger {
    Trigger {
        id: TriggerId(Uuid::from_u128(number.into())),
        version: 1,
        selectors: Selectors {
            chains: vec![i64::from(number / AGENTS)],
            registry: Some("reputation".to_owned()),
            events: vec!["NewFeedback".to_owned()],
            agents: vec![(number % AGENTS).to_string()],
        },
        condition: Some(condition("score < 60 && tag1 == 'uptime'")),
        group_by: None,
        cooldown_s: None,
        finality: Finality::Instant,
        lineage: 1,
        start: Start::default(),
        actions: vec![("hook".to_owned(), 1)],
    }
}

fn about(agent: &str) -> Event {
    Event { agent_id: Some(agent.to_owned()), ..event(0) }
}

fn event(agent: u32) -> Event {
    Event {
        name: EventName { id: "0-0xaa-1".to_owned(), timestamp: 1_790_000_000 },
        chain_id: ChainId(0),
        block_number: 1,
        block_hash: "0xaa".to_owned(),
        transaction_hash: "0xbb".to_owned(),
        log_index: 1,
        event_type: "NewFeedback".to_owned(),
        registry: "reputation".to_owned(),
        agent_id: Some(agent.to_string()),
        address: None,
        topics: None,
        arguments: Arguments::default(),
        invalidated: false,
        revision: 0,
        inserted_at_ms: 0,
    }
}
