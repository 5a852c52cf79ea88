//! Matching and decoding by themselves, in nanoseconds: `cargo bench -p event-engine`.
//!
//! `agentauri bench` measures their share in the whole.

use divan::{Bencher, black_box};
use event_engine::condition::{Condition, Verdict};
use event_engine::decide::decide;
use event_engine::event::{Arguments, ChainId, Event, EventName};
use event_engine::finality::Finality;
use event_engine::index::{InForce, IndexBuilder, TriggerIndex};
use event_engine::job::JobId;
use event_engine::log::{Entry, Position, Subject};
use event_engine::state::ShardState;
use event_engine::trigger::{Selectors, Start, Trigger, TriggerId};

const FEEDBACK: &str = r#"{"agentId": "42", "clientAddress":
    "0x90f79bf6eb2c4f870365e785982e1f101e93b906", "feedbackIndex": "7", "value": "55",
    "valueDecimals": 0, "tag1": "uptime", "tag2": "", "feedbackHash":
    "0x2c149ed548c6d2993cd73efe187df6eccabe4538091b33adbd25fafdb8a1468b"}"#;

fn main() {
    divan::main();
}

/// Sizes of the set of triggers. A million of them select 100,000 agents.
const SIZES: [u32; 3] = [1_000, 100_000, 1_000_000];
const AGENTS: u32 = 100_000;
const EVENTS: u32 = 100_000;

/// Lookup of an event's only trigger among so many.
#[divan::bench(args = SIZES)]
fn candidates(bencher: Bencher, triggers: u32) {
    let index = index(triggers);
    each(bencher, &events(triggers), |event| index.candidates(event).len());
}

/// Lookup and condition, without decoding: the measure of the goal.
#[divan::bench(args = SIZES)]
fn matching(bencher: Bencher, triggers: u32) {
    let index = index(triggers);
    let events = events(triggers);
    for event in &events {
        event.arguments.get("");
    }
    each(bencher, &events, |event| {
        let conditions = index.candidates(event).filter_map(InForce::condition);
        conditions.filter(|it| it.verdict(event, &[]) == Verdict::Match).count()
    });
}

/// Lookup of agents that no trigger names, as an attacker would choose them: equal low binary
/// digits, almost numbers, and texts as wide as a uint256.
#[divan::bench(args = SIZES)]
fn strangers(bencher: Bencher, triggers: u32) {
    let index = index(triggers);
    let agents = (1..=u64::from(EVENTS)).map(|number| match number % 3 {
        0 => (number << 40).to_string(),
        1 => format!("0{number}"),
        _ => format!("{number:078}"),
    });
    let events: Vec<Event> =
        agents.map(|agent| Event { agent_id: Some(agent), ..event(0) }).collect();
    each(bencher, &events, |event| index.candidates(event).len());
}

/// A batch in which each event meets a trigger, and a tenth of them fires.
#[divan::bench]
fn decide_500(bencher: Bencher) {
    let index = index(10_000);
    let entries: Vec<Entry> = (0..500)
        .map(|number| {
            let event = event(if number % 10 == 0 { number } else { number + 50_000 });
            let name = event.name.clone();
            let position = Position { xid: u64::from(number) + 1, seq: 0 };
            Entry {
                position,
                subject: Subject::Event {
                    name,
                    revision: 0,
                    row: Some(event.into()),
                    superseded: false,
                },
            }
        })
        .collect();
    bencher
        .counter(divan::counter::ItemsCount::new(entries.len()))
        .bench_local(|| decide(black_box(&entries), &index, &mut ShardState::default()));
}

#[divan::bench(args = ["agent_id == 42", "score < 60 && tag1 == \"uptime\"", "feedbackIndex > 5"])]
fn verdict(bencher: Bencher, when: &str) {
    let condition = Condition::parse(when).expect("a condition");
    let event = event(42);
    bencher.bench_local(|| condition.verdict(black_box(&event), &[]));
}

/// The cost of a stored document until its first argument is known.
#[divan::bench]
fn decode_arguments(bencher: Bencher) {
    bencher
        .with_inputs(|| Some(FEEDBACK.to_owned()))
        .bench_values(|json| Arguments::from_json(json).get("value").is_some());
}

#[divan::bench]
fn parse_condition() -> Condition {
    Condition::parse(black_box("score < 60 && tag1 == \"uptime\"")).expect("a condition")
}

#[divan::bench]
fn job_id(bencher: Bencher) {
    let (trigger, event) = (TriggerId::of("default", "low-score"), event(42));
    bencher.bench_local(|| JobId::of(trigger, "hook", black_box(&event.name), 0));
}

fn each(bencher: Bencher, events: &[Event], judge: impl Fn(&Event) -> usize) {
    bencher
        .counter(divan::counter::ItemsCount::new(events.len()))
        .bench_local(|| events.iter().map(&judge).sum::<usize>());
}

/// Events of scattered agents: neighbours in the log are apart in the index.
fn events(triggers: u32) -> Vec<Event> {
    let spread = |number: u32| (number * 7_919) % triggers;
    (0..EVENTS)
        .map(|number| {
            let (chain_id, agent) = place(spread(number % triggers));
            Event { chain_id, ..event(agent) }
        })
        .collect()
}

fn index(triggers: u32) -> TriggerIndex {
    let mut index = IndexBuilder::default();
    for number in 0..triggers {
        index.add(trigger(number));
    }
    index.finish(1)
}

fn place(trigger: u32) -> (ChainId, u32) {
    (ChainId(8453 + i64::from(trigger / AGENTS)), trigger % AGENTS)
}

fn trigger(number: u32) -> Trigger {
    let (chain, agent) = place(number);
    Trigger {
        id: TriggerId::of("default", &number.to_string()),
        version: 1,
        selectors: Selectors {
            chains: vec![chain.0],
            registry: Some("reputation".to_owned()),
            events: vec!["NewFeedback".to_owned()],
            agents: vec![agent.to_string()],
        },
        condition: Some(Condition::parse("score < 60").expect("a condition")),
        group_by: None,
        cooldown_s: None,
        finality: Finality::Instant,
        lineage: 1,
        start: Start::default(),
        actions: vec![("hook".to_owned(), 1)],
    }
}

fn event(agent: u32) -> Event {
    Event {
        name: EventName { id: format!("8453-0x{agent:064x}-3"), timestamp: 1_790_000_000 },
        chain_id: ChainId(8453),
        block_number: 20_000_000,
        block_hash: "0xaa".to_owned(),
        transaction_hash: "0xbb".to_owned(),
        log_index: 3,
        event_type: "NewFeedback".to_owned(),
        registry: "reputation".to_owned(),
        agent_id: Some(agent.to_string()),
        address: None,
        topics: None,
        arguments: Arguments::from_json(Some(FEEDBACK.to_owned())),
        invalidated: false,
        revision: 0,
        inserted_at_ms: 1_790_000_000_000,
    }
}
