//! Table `event_log`.

use std::collections::BTreeMap;
use std::ops::Bound::{Excluded, Unbounded};

use event_engine::event::{ChainId, EventName};
use event_engine::finality::Heights;
use event_engine::log::Position;
use event_engine::port::{Ready, Survey};

/// Sequence numbers that a session takes together (`CACHE 32`).
const SEQ_CACHE: i64 = 32;

/// A chain that nobody vouches for.
const UNKNOWN: ChainId = ChainId(2);

/// What an entry speaks of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Noted {
    /// An event was inserted or revised.
    Event(EventName, i32),
    /// The checkpoint moved, or what the chain's nodes call safe or final.
    Heights(Heights),
}

/// The entries that are committed, and the sequence they take their numbers from.
#[derive(Debug, Default)]
pub struct Log {
    shards: BTreeMap<ChainId, BTreeMap<Position, Noted>>,
    seq: i64,
}

impl Log {
    /// The next numbers for one session.
    pub fn seqs(&mut self) -> std::ops::Range<i64> {
        self.seq += SEQ_CACHE;
        self.seq - SEQ_CACHE + 1..self.seq + 1
    }

    /// An entry becomes visible.
    pub fn add(&mut self, shard: ChainId, position: Position, noted: Noted) {
        self.shards.entry(shard).or_default().insert(position, noted);
    }

    /// Each shard with its entries.
    pub fn shards(&self) -> impl Iterator<Item = (ChainId, &BTreeMap<Position, Noted>)> {
        self.shards.iter().map(|(shard, entries)| (*shard, entries))
    }

    /// The entries behind a position and below the horizon.
    pub fn behind(
        &self,
        shard: ChainId,
        cursor: Position,
        horizon: u64,
    ) -> impl Iterator<Item = (Position, &Noted)> {
        let entries = self.shards.get(&shard).into_iter();
        let entries = entries.flat_map(move |all| all.range((Excluded(cursor), Unbounded)));
        entries
            .map(|(position, noted)| (*position, noted))
            .take_while(move |(position, _)| position.xid < horizon)
    }

    /// Whether a higher revision of the event stands in front of that position.
    pub fn revises_before(&self, event: &EventName, revision: i32, end: Position) -> bool {
        let earlier = self.shards.values().flat_map(|entries| entries.range(..end));
        earlier.into_iter().any(|(_, noted)| match noted {
            Noted::Event(name, other) => name == event && *other > revision,
            Noted::Heights(_) => false,
        })
    }

    /// One look at all shards, counting up to `entries_max` of each.
    pub fn survey(
        &self,
        cursors: &BTreeMap<ChainId, Position>,
        horizon: u64,
        entries_max: u32,
    ) -> Survey {
        let mut survey = Survey::default();
        for (shard, entries) in self.shards() {
            let cursor = cursors.get(&shard).copied().unwrap_or_default();
            let behind = self.behind(shard, cursor, horizon).take(entries_max as usize).count();
            if behind > 0 {
                let entries = u32::try_from(behind).unwrap_or(entries_max);
                survey.ready.push(Ready { shard, entries, is_known: shard != UNKNOWN });
            }
            let latest = entries.last_key_value();
            survey.held |= latest.is_some_and(|(position, _)| position.xid >= horizon);
        }
        survey
    }
}
