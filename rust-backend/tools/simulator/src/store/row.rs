//! A row of `events`.

use event_engine::event::{Arguments, ChainId, Event, EventName};

/// Every event's: what comes back in another block is told of by the store, not judged otherwise.
pub const TRANSACTION: &str = "0x";

/// What a row says beside its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Content {
    /// The registry.
    pub registry: &'static str,
    /// The event's name on chain.
    pub event_type: &'static str,
    /// The agent.
    pub agent: u64,
    /// The score that a feedback gives.
    pub score: Option<i64>,
}

/// One row, at one of its revisions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// Id and block time.
    pub name: EventName,
    /// The shard.
    pub chain: ChainId,
    /// How high its block is.
    pub height: i64,
    /// Counts the blocks that had the name.
    pub block: u64,
    /// What it says.
    pub content: Content,
    /// True once the chain has taken it back.
    pub invalidated: bool,
    /// How often it was revised.
    pub revision: i32,
    /// When the entry of that revision was logged.
    pub logged_at_ms: i64,
}

impl Row {
    /// The row as `revise_event()` leaves it: another block is a revision, and so is other content
    /// or a change of mind; nothing else is.
    #[must_use]
    pub fn revised(&self, block: u64, content: Content, invalidated: bool) -> Self {
        let another_block = block != self.block;
        let invalidated =
            if another_block { invalidated && !self.invalidated } else { invalidated };
        let revises = another_block || content != self.content || invalidated != self.invalidated;
        let revision = self.revision + i32::from(revises);
        Self { block, content, invalidated, revision, ..self.clone() }
    }

    /// The row as the engine sees it.
    pub fn event(&self) -> Event {
        let arguments =
            self.content.score.map(|score| format!(r#"{{"value":"{score}","valueDecimals":0}}"#));
        Event {
            name: self.name.clone(),
            chain_id: self.chain,
            block_number: self.height,
            block_hash: format!("0x{:02x}", self.block),
            transaction_hash: TRANSACTION.to_owned(),
            log_index: 0,
            event_type: self.content.event_type.to_owned(),
            registry: self.content.registry.to_owned(),
            agent_id: Some(self.content.agent.to_string()),
            address: None,
            topics: None,
            arguments: Arguments::from_json(arguments),
            invalidated: self.invalidated,
            revision: self.revision,
            inserted_at_ms: self.logged_at_ms,
        }
    }
}
