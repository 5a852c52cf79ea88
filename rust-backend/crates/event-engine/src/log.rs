//! The shard's log: what a processor reads, in the one order in which it is judged.

use crate::event::{Event, EventName};
use crate::finality::Heights;

/// A place in a shard's log: the writing transaction, then the entry within it.
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
    /// Where it stands.
    pub position: Position,
    /// What it speaks of.
    pub subject: Subject,
}

/// What an entry speaks of.
#[derive(Clone, Debug)]
pub enum Subject {
    /// An event was inserted or revised.
    Event {
        /// Which one.
        name: EventName,
        /// The revision that the entry stands for.
        revision: i32,
        /// What the event was at that revision. `None` once its row is deleted.
        row: Option<Box<Event>>,
        /// A higher revision stands earlier in the log: its transaction began earlier, and it has
        /// spoken for this one.
        superseded: bool,
    },
    /// The chain's checkpoint moved, or a higher block became safe or finalized.
    Heights(Heights),
}
