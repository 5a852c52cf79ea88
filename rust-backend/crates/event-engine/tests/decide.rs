//! The judgement, by examples and properties.

use event_engine::condition::Condition;
use event_engine::decide::{Plan, Supersession, decide};
use event_engine::event::{Arguments, ChainId, Event, EventName};
use event_engine::finality::Finality;
use event_engine::index::{InForce, TriggerIndex};
use event_engine::log::{Entry, Position, Subject};
use event_engine::state::ShardState;
use event_engine::trigger::{Selectors, Start, Trigger, TriggerId};
use proptest::prelude::*;

#[test]
fn a_match_is_one_job_for_each_action() {
    let mut trigger = trigger("all");
    trigger.actions = vec![("hook".to_owned(), 3), ("other".to_owned(), 1)];
    let plan = judged(&[inserted(1, event("a"))], &TriggerIndex::new(7, vec![trigger]));
    let actions: Vec<_> = plan.jobs.iter().map(|job| job.action.clone()).collect();
    assert_eq!(actions, [("hook".to_owned(), 3), ("other".to_owned(), 1)]);
    assert_ne!(plan.jobs[0].id, plan.jobs[1].id);
    assert_eq!(plan.cursor, Some(Position { xid: 1, seq: 1 }));
}

#[test]
fn deciding_twice_gives_the_same_plan() {
    let index = TriggerIndex::new(1, vec![trigger("a"), trigger("b")]);
    let entries = [inserted(1, event("a")), inserted(2, event("b"))];
    assert_eq!(judged(&entries, &index), judged(&entries, &index));
}

#[test]
fn above_a_late_chains_head_block_times_from_before_fire() {
    let mut made = trigger("made");
    made.start = Start { since: 1_001, heads: [(event("a").chain_id, 7)].into() };
    let index = TriggerIndex::new(1, vec![made]);
    let fires = |chain, block_number| {
        let mut event = event("a");
        (event.chain_id, event.block_number, event.name.timestamp) = (chain, block_number, 1_000);
        !judged(&[inserted(1, event)], &index).jobs.is_empty()
    };
    let (late, other) = (event("a").chain_id, ChainId(77));
    assert_eq!([6, 7, 8].map(|block| fires(late, block)), [false, false, true]);
    assert!(!fires(other, 8));
}

#[test]
fn an_event_from_before_since_does_not_fire() {
    let mut late = trigger("late");
    late.start.since = 1_001;
    let index = TriggerIndex::new(1, vec![late]);
    let at = |timestamp| {
        let mut event = event("a");
        event.name.timestamp = timestamp;
        judged(&[inserted(1, event)], &index).jobs.len()
    };
    assert_eq!((at(1_000), at(1_001), at(4_102_444_800)), (0, 1, 1));
}

#[test]
fn an_invalidated_event_fires_nothing_and_supersedes_itself() {
    let index = TriggerIndex::new(1, vec![trigger("all")]);
    let event = Event { invalidated: true, revision: 1, ..event("a") };
    let plan = judged(&[entry(1, 1, Some(event.clone()))], &index);
    assert_eq!(plan.jobs, []);
    assert_eq!(plan.supersessions, [superseded(event.name, 1, true)]);
}

fn superseded(event: EventName, below: i32, is_invalidated: bool) -> Supersession {
    Supersession { event, below, is_invalidated }
}

#[test]
fn an_event_that_is_valid_again_fires_again_under_another_id() {
    let index = TriggerIndex::new(1, vec![trigger("all")]);
    let first = judged(&[inserted(1, event("a"))], &index);
    let again = Event { revision: 2, ..event("a") };
    let second = judged(&[entry(9, 2, Some(again.clone()))], &index);
    assert_ne!(first.jobs[0].id, second.jobs[0].id);
    assert_eq!(second.supersessions, [superseded(again.name, 2, false)]);
}

#[test]
fn an_entry_behind_a_higher_revision_is_skipped() {
    let index = TriggerIndex::new(1, vec![trigger("all")]);
    let row = Event { invalidated: true, revision: 1, ..event("a") };
    // The invalidation stands in front of the insertion: its transaction began earlier.
    let mut entries = [entry(1, 1, Some(row.clone())), entry(2, 0, Some(event("a")))];
    if let Subject::Event { superseded, .. } = &mut entries[1].subject {
        *superseded = true;
    }
    let plan = judged(&entries, &index);
    assert_eq!(plan.jobs, []);
    assert_eq!(plan.supersessions, [superseded(row.name, 1, true)]);
    assert_eq!(plan.tally.superseded, 1);
}

#[test]
fn a_deleted_event_is_counted_and_skipped() {
    let index = TriggerIndex::new(1, vec![trigger("all")]);
    let plan = judged(&[entry(1, 0, None), inserted(2, event("b"))], &index);
    assert_eq!((plan.tally.gone, plan.jobs.len()), (1, 1));
}

#[test]
fn a_condition_that_cannot_compare_is_no_match_and_is_counted() {
    let mut picky = trigger("picky");
    picky.condition = Some(Condition::parse("score < 60").expect("it parses"));
    let index = TriggerIndex::new(1, vec![picky]);
    let mut bad = event("bad");
    bad.arguments = Arguments::from_json(Some(r#"{"value":"59","valueDecimals":0}"#.to_owned()));
    let plan = judged(&[inserted(1, event("none")), inserted(2, bad)], &index);
    assert_eq!((plan.tally.incomparable, plan.jobs.len()), (1, 1));
    assert_eq!(plan.jobs[0].event.id, "bad");
}

#[test]
fn nonsense_in_data_is_judged_on_what_there_is() {
    let mut picky = trigger("picky");
    picky.condition = Some(Condition::parse("tag1 == \"x\" || score < 60").expect("it parses"));
    let index = TriggerIndex::new(1, vec![picky, trigger("all")]);
    for data in ["null", "[]", "\"x\"", "7", "{\"tag1\":{\"a\":[]}}", "{\"value\":1e999999999}"] {
        let mut event = event("a");
        event.arguments = Arguments::from_json(Some(data.to_owned()));
        assert_eq!(judged(&[inserted(1, event)], &index).jobs.len(), 1, "{data}");
    }
}

#[test]
fn agent_registered_is_another_name_for_registered() {
    let mut seed = trigger("seed");
    seed.selectors.events = vec!["AgentRegistered".to_owned()];
    let index = TriggerIndex::new(1, vec![seed]);
    let fires = |event_type: &str| {
        let event = Event { event_type: event_type.to_owned(), ..event("a") };
        judged(&[inserted(1, event)], &index).jobs.len()
    };
    assert_eq!((fires("Registered"), fires("AgentRegistered"), fires("Transfer")), (1, 1, 0));
}

proptest! {
    #[test]
    fn the_index_finds_what_asking_every_trigger_finds(
        triggers in prop::collection::vec(selectors(), 0..20),
        events in prop::collection::vec(any_event(), 1..20),
    ) {
        let triggers: Vec<Trigger> = triggers
            .into_iter()
            .enumerate()
            .map(|(number, selectors)| Trigger { selectors, ..trigger(&number.to_string()) })
            .collect();
        let index = TriggerIndex::new(1, triggers.clone());
        for event in events {
            let found: Vec<_> = index.candidates(&event).map(InForce::id).collect();
            let asked: Vec<_> =
                triggers.iter().filter(|t| takes(&t.selectors, &event)).map(|t| t.id).collect();
            prop_assert_eq!(found, asked);
        }
    }

    #[test]
    fn a_batch_may_be_cut_anywhere(
        events in prop::collection::vec(any_event(), 0..12),
        cut in 0_usize..12,
    ) {
        let index = TriggerIndex::new(1, vec![trigger("all")]);
        let entries: Vec<Entry> =
            (1..).zip(events).map(|(xid, event)| inserted(xid, event)).collect();
        let whole = judged(&entries, &index);
        let (head, tail) = entries.split_at(cut.min(entries.len()));
        let mut jobs = judged(head, &index).jobs;
        jobs.extend(judged(tail, &index).jobs);
        prop_assert_eq!(whole.jobs, jobs);
    }
}

fn judged(entries: &[Entry], index: &TriggerIndex) -> Plan {
    decide(entries, index, &mut ShardState::default())
}

fn takes(selectors: &Selectors, event: &Event) -> bool {
    let any = |list: &[String], value: &str| list.is_empty() || list.iter().any(|v| v == value);
    (selectors.chains.is_empty() || selectors.chains.contains(&event.chain_id.0))
        && selectors.registry.as_ref().is_none_or(|registry| *registry == event.registry)
        && any(&selectors.events, &event.event_type)
        && (selectors.agents.is_empty()
            || event.agent_id.as_ref().is_some_and(|agent| selectors.agents.contains(agent)))
}

fn word() -> impl Strategy<Value = String> {
    prop::sample::select(vec!["x", "y", "z"]).prop_map(str::to_owned)
}

fn selectors() -> impl Strategy<Value = Selectors> {
    let words = || prop::collection::vec(word(), 0..3);
    (prop::collection::vec(1..4_i64, 0..3), prop::option::of(word()), words(), words()).prop_map(
        |(chains, registry, events, agents)| Selectors { chains, registry, events, agents },
    )
}

fn any_event() -> impl Strategy<Value = Event> {
    (1..4_i64, word(), word(), prop::option::of(word())).prop_map(
        |(chain, registry, event_type, agent_id)| Event {
            chain_id: ChainId(chain),
            registry,
            event_type,
            agent_id,
            ..event("any")
        },
    )
}

fn trigger(name: &str) -> Trigger {
    Trigger {
        id: TriggerId::of("test", name),
        version: 1,
        selectors: Selectors::default(),
        condition: None,
        group_by: None,
        cooldown_s: None,
        finality: Finality::Instant,
        lineage: 1,
        start: Start::default(),
        actions: vec![("hook".to_owned(), 1)],
    }
}

fn event(id: &str) -> Event {
    Event {
        name: EventName { id: id.to_owned(), timestamp: 1_000 },
        chain_id: ChainId(1),
        block_number: 5,
        block_hash: "0xb".to_owned(),
        transaction_hash: "0xt".to_owned(),
        log_index: 0,
        event_type: "NewFeedback".to_owned(),
        registry: "reputation".to_owned(),
        agent_id: None,
        address: None,
        topics: None,
        arguments: Arguments::default(),
        invalidated: false,
        revision: 0,
        inserted_at_ms: 1_000,
    }
}

fn inserted(xid: u64, event: Event) -> Entry {
    entry(xid, 0, Some(event))
}

fn entry(xid: u64, revision: i32, row: Option<Event>) -> Entry {
    let name =
        row.as_ref().map_or(EventName { id: "gone".into(), timestamp: 1 }, |e| e.name.clone());
    let subject = Subject::Event { name, revision, row: row.map(Box::new), superseded: false };
    Entry { position: Position { xid, seq: 1 }, subject }
}
