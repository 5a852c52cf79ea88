//! The condition language, as a user of the engine sees it.

mod errors;
mod examples;
mod functions;
mod limits;
mod numbers;
mod properties;

use event_engine::condition::{Condition, Verdict};
use event_engine::event::{Arguments, ChainId, Event, EventName};

/// An event whose columns are all set, with `json` for arguments.
fn event(json: &str) -> Event {
    Event {
        name: EventName { id: "8453-0xaa-3".to_owned(), timestamp: 1_790_000_000 },
        chain_id: ChainId(8453),
        block_number: 20_000_000,
        block_hash: format!("0x{}", "aB".repeat(32)),
        transaction_hash: format!("0x{}", "cd".repeat(32)),
        log_index: 3,
        event_type: "NewFeedback".to_owned(),
        registry: "reputation".to_owned(),
        agent_id: Some("42".to_owned()),
        address: Some("0x8004baa17c55a88189ae136b182e5fda19de9b63".to_owned()),
        topics: None,
        arguments: Arguments::from_json(Some(json.to_owned())),
        invalidated: false,
        revision: 0,
        inserted_at_ms: 0,
    }
}

fn judge(source: &str, event: &Event) -> Verdict {
    match Condition::parse(source) {
        Ok(condition) => condition.verdict(event, &[]),
        Err(error) => panic!("{source}: {error}"),
    }
}

fn refusal(source: &str) -> String {
    match Condition::parse(source) {
        Ok(condition) => panic!("{source} is read as {condition}"),
        Err(error) => error.to_string(),
    }
}

/// Judges each condition, and compares with the verdict beside it.
fn assert_verdicts(event: &Event, table: &[(&str, Verdict)]) {
    for (source, expected) in table {
        assert_eq!(judge(source, event), *expected, "{source}");
    }
}
