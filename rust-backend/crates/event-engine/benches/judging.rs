//! Matching and decoding by themselves, in nanoseconds: `cargo bench -p event-engine`.
//!
//! What they cost in the whole is what `agentauri bench` measures.

use divan::{Bencher, black_box};
use event_engine::condition::Condition;
use event_engine::decide::decide;
use event_engine::event::{Arguments, ChainId, Event, EventName};
use event_engine::index::TriggerIndex;
use event_engine::job::JobId;
use event_engine::log::{Entry, Position, Subject};
use event_engine::state::ShardState;
use event_engine::trigger::{Selectors, Trigger, TriggerId};

const FEEDBACK: &str = r#"{"agentId": "42", "clientAddress":
    "0x90f79bf6eb2c4f870365e785982e1f101e93b906", "feedbackIndex": "7", "value": "55",
    "valueDecimals": 0, "tag1": "uptime", "tag2": "", "feedbackHash":
    "0x2c149ed548c6d2993cd73efe187df6eccabe4538091b33adbd25fafdb8a1468b"}"#;

fn main() {
    divan::main();
}

/// An event meets the one trigger of its agent among so many.
#[divan::bench(args = [1_000, 100_000])]
fn candidates(bencher: Bencher, triggers: u32) {
    let index = index(triggers);
    let events: Vec<Event> = (0..1_000).map(|number| event(number * (triggers / 1_000))).collect();
    bencher
        .counter(divan::counter::ItemsCount::new(events.len()))
        .bench_local(|| events.iter().map(|event| index.candidates(event).len()).sum::<usize>());
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
                    outgrown: false,
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

/// What a stored document costs until its first argument is known.
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

fn index(triggers: u32) -> TriggerIndex {
    TriggerIndex::new(1, (0..triggers).map(trigger).collect())
}

fn trigger(agent: u32) -> Trigger {
    Trigger {
        id: TriggerId::of("default", &agent.to_string()),
        version: 1,
        selectors: Selectors {
            chains: vec![8453],
            registry: Some("reputation".to_owned()),
            events: vec!["NewFeedback".to_owned()],
            agents: vec![agent.to_string()],
        },
        condition: Some(Condition::parse("score < 60").expect("a condition")),
        group_by: None,
        cooldown_s: None,
        lineage: 1,
        since: 0,
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
        arguments: Arguments::from_json(Some(FEEDBACK.to_owned())),
        invalidated: false,
        revision: 0,
        inserted_at_ms: 0,
    }
}
