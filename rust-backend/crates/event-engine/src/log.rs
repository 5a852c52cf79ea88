//! The shard's log: entries in the one order in which they are judged.

use crate::event::{Event, EventName};
use crate::finality::Heights;

/// A position in a shard's log: the writing transaction, then the entry within it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position {
    /// The transaction's 64-bit id.
    pub xid: u64,
    /// Orders the entries of one transaction.
    pub seq: i64,
}

/// One entry of a shard's log.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Its position.
    pub position: Position,
    /// The change that it records.
    pub subject: Subject,
}

/// A change that an entry records.
#[derive(Clone, Debug)]
pub enum Subject {
    /// An event was inserted or revised.
    Event {
        /// The event.
        name: EventName,
        /// The revision that the entry stands for.
        revision: i32,
        /// The event's content at that revision. `None` once its row is deleted.
        row: Option<Box<Event>>,
        /// A higher revision stands earlier in the log, because its transaction began earlier. It
        /// supersedes this one.
        superseded: bool,
    },
    /// The chain's checkpoint moved, or a higher block became safe or finalized.
    Heights(Heights),
}
