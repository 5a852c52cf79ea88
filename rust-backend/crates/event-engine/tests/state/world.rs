//! Events, entries and triggers in short.

use std::collections::BTreeMap;

use event_engine::condition::Condition;
use event_engine::event::{Arguments, ChainId, Event, EventName};
use event_engine::finality::{Finality, Heights};
use event_engine::log::{Entry, Position, Subject};
use event_engine::trigger::group_by::GroupBy;
use event_engine::trigger::{Selectors, Start, Trigger, TriggerId};

/// Some block time.
pub(crate) const START: i64 = 1_700_000_000;

/// An event `at` seconds after the start, about an agent, with a score if it has one.
pub(crate) fn event(id: &str, at: i64, agent: &str, score: Option<i64>) -> Event {
    let arguments = score.map(|score| format!(r#"{{"value":"{score}","valueDecimals":0}}"#));
    Event {
        name: EventName { id: id.to_owned(), timestamp: START + at },
        chain_id: ChainId(1),
        block_number: at,
        block_hash: "0xb".to_owned(),
        transaction_hash: "0xt".to_owned(),
        log_index: 0,
        event_type: "NewFeedback".to_owned(),
        registry: "reputation".to_owned(),
        agent_id: (!agent.is_empty()).then(|| agent.to_owned()),
        address: None,
        topics: None,
        arguments: Arguments::from_json(arguments),
        invalidated: false,
        revision: 0,
        inserted_at_ms: (START + at) * 1_000,
    }
}

/// A trigger with a condition, grouped by agent where `grouped`.
pub(crate) fn trigger(name: &str, when: &str, grouped: bool, cooldown_s: Option<i64>) -> Trigger {
    Trigger {
        id: TriggerId::of("test", name),
        version: 3,
        selectors: Selectors::default(),
        condition: (!when.is_empty()).then(|| Condition::parse(when).expect("it parses")),
        group_by: grouped.then(|| GroupBy::parse("agent_id").expect("it parses")),
        cooldown_s,
        finality: Finality::Instant,
        lineage: 2,
        start: Start::default(),
        actions: vec![("hook".to_owned(), 1)],
    }
}

/// The entries of a log that says these things in this order.
pub(crate) fn log(events: impl IntoIterator<Item = Event>) -> Vec<Entry> {
    let mut highest: BTreeMap<EventName, i32> = BTreeMap::new();
    let mut entries = Vec::new();
    for (xid, event) in (1..).zip(events) {
        let (name, revision) = (event.name.clone(), event.revision);
        let known = highest.entry(name.clone()).or_insert(revision);
        let superseded = *known > revision;
        *known = revision.max(*known);
        let subject = Subject::Event { name, revision, superseded, row: Some(Box::new(event)) };
        entries.push(Entry { position: Position { xid, seq: 1 }, subject });
    }
    entries
}

/// The event taken back, or valid again.
pub(crate) fn revised(event: &Event, revision: i32, invalidated: bool) -> Event {
    Event { revision, invalidated, ..event.clone() }
}

/// An entry that says how far the chain is.
pub(crate) fn heights(xid: u64, heights: Heights) -> Entry {
    Entry { position: Position { xid, seq: 2 }, subject: Subject::Heights(heights) }
}
