//! An event of a registry, as the store keeps it.

pub mod shape;
pub mod spelling;

use std::fmt;
use std::sync::OnceLock;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::argument::{Argument, Fields};

/// The id of a chain (EIP-155), and the name of its shard.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct ChainId(pub i64);

impl fmt::Display for ChainId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The name of an event everywhere: its id and its block time together.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EventName {
    /// The writer's id: text that a stranger may choose.
    pub id: String,
    /// Block time, unix seconds.
    pub timestamp: i64,
}

/// Seconds by which a block's time may be ahead of its log entry: block producers' clocks differ by
/// seconds.
pub const AHEAD_S_MAX: i64 = 60;

/// One row of `events`.
#[derive(Clone, Debug)]
pub struct Event {
    /// Id and block time.
    pub name: EventName,
    /// The shard that judges it.
    pub chain_id: ChainId,
    /// The block that emitted it.
    pub block_number: i64,
    /// The hash of that block, as its writer spelled it.
    pub block_hash: String,
    /// The transaction that emitted it.
    pub transaction_hash: String,
    /// Its place in the block.
    pub log_index: i32,
    /// The event's name on chain, `unknown`, or a writer's own.
    pub event_type: String,
    /// `identity`, `reputation`, `validation`, or a writer's own.
    pub registry: String,
    /// The agent it is about: a uint256 as a decimal string.
    pub agent_id: Option<String>,
    /// The contract that emitted it.
    pub address: Option<String>,
    /// Topics of a log that is stored as it came; `None` if they are not a list of texts.
    pub topics: Option<Vec<String>>,
    /// Decoded arguments.
    pub arguments: Arguments,
    /// True once the chain has invalidated it.
    pub invalidated: bool,
    /// The number of times it was revised.
    pub revision: i32,
    /// Time at which the entry of this revision was logged, by the database's clock; unix
    /// milliseconds.
    pub inserted_at_ms: i64,
}

impl Event {
    /// The block time for judging, unix seconds. A row may claim any time, and a row dated 2099
    /// must not make genuine events late, so the time of its log entry bounds it. No present clock
    /// is read: a replay gives the same.
    pub fn counted_at(&self) -> i64 {
        let logged_at = self.inserted_at_ms.div_euclid(1_000);
        self.name.timestamp.min(logged_at.saturating_add(AHEAD_S_MAX))
    }

    /// True if its block time is further ahead than [`AHEAD_S_MAX`].
    pub fn is_ahead(&self) -> bool {
        self.counted_at() < self.name.timestamp
    }
}

/// The decoded arguments of an event: a JSON document that is parsed at the first access, because
/// selectors alone turn most events away.
#[derive(Clone, Debug, Default)]
pub struct Arguments {
    json: Option<String>,
    is_unreadable: bool,
    fields: OnceLock<Fields>,
}

impl Arguments {
    /// Takes the text of a JSON document. Text that is not a JSON object gives no arguments.
    pub fn from_json(json: Option<String>) -> Self {
        Self { json, ..Self::default() }
    }

    /// Arguments larger than the store reads. The event is judged as if without any.
    pub fn unreadable() -> Self {
        Self { is_unreadable: true, ..Self::default() }
    }

    /// True if the store could not read them because of their size.
    pub fn are_unreadable(&self) -> bool {
        self.is_unreadable
    }

    /// The document as it is stored. `None` where it is not JSON.
    pub fn json(&self) -> Option<&RawValue> {
        serde_json::from_str(self.json.as_deref()?).ok()
    }

    /// The argument of that name, if the event has it.
    pub fn get(&self, name: &str) -> Option<Argument<'_>> {
        let json = self.json.as_deref()?;
        self.fields.get_or_init(|| Fields::of(json)).get(json, name)
    }
}
