//! An event as the engine holds it.

use event_engine::event::{Arguments, ChainId, Event, EventName};

/// A feedback as the engine reads it, for tests without a database.
pub fn event() -> Event {
    Event {
        name: EventName { id: "1-0xaa-0".to_owned(), timestamp: 1_763_999_988 },
        chain_id: ChainId(1),
        block_number: 1,
        block_hash: "0xaa".to_owned(),
        transaction_hash: "0xbb".to_owned(),
        log_index: 0,
        event_type: "NewFeedback".to_owned(),
        registry: "reputation".to_owned(),
        agent_id: Some("42".to_owned()),
        address: None,
        topics: None,
        arguments: Arguments::from_json(Some(r#"{"tag1": "é"}"#.to_owned())),
        invalidated: false,
        revision: 0,
        inserted_at_ms: 0,
    }
}
