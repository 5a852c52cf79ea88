//! What the processor remembers of its shards between two batches.

use std::collections::HashMap;

use event_engine::event::ChainId;
use event_engine::log::Position;
use event_engine::port::Portion;
use event_engine::state::ShardState;
use parking_lot::Mutex;

/// Observations kept at hand, of all shards together: about 100 MB. Beyond it all are forgotten,
/// and read again where they are needed.
pub(crate) const OBSERVATIONS_MAX: usize = 300_000;

/// The state of shards, each as it was after the batch that we committed last.
///
/// It is believed only while the shard's cursor stands where that batch left it, and it was we who
/// left it there: whoever else judged the shard has moved it, and a crash of the store may have let
/// somebody else judge again what we had judged.
#[derive(Debug)]
pub(crate) struct Memory {
    observations_max: usize,
    shelf: Mutex<Shelf>,
}

#[derive(Debug, Default)]
struct Shelf {
    shards: HashMap<ChainId, (Position, ShardState)>,
    /// The observations of all of them.
    at_hand: usize,
}

impl Memory {
    /// A memory that holds so many observations.
    pub(crate) fn of(observations_max: usize) -> Self {
        Self { observations_max, shelf: Mutex::default() }
    }

    /// Takes the state of a shard at the portion's cursor. What is taken and not kept again is
    /// forgotten: after an error nobody knows what was committed.
    pub(crate) fn take(&self, portion: &Portion) -> ShardState {
        let mut held = self.shelf.lock();
        match held.remove(portion.shard) {
            Some((at, state)) if portion.is_continued && at == portion.cursor => state,
            _ => ShardState::default(),
        }
    }

    /// Keeps the state of a shard at the cursor that was committed with it.
    pub(crate) fn keep(&self, shard: ChainId, cursor: Position, state: ShardState) {
        if state.at_hand() == 0 {
            return;
        }
        let mut held = self.shelf.lock();
        held.remove(shard);
        held.at_hand += state.at_hand();
        held.shards.insert(shard, (cursor, state));
        if held.at_hand > self.observations_max {
            *held = Shelf::default();
        }
    }
}

impl Shelf {
    fn remove(&mut self, shard: ChainId) -> Option<(Position, ShardState)> {
        let removed = self.shards.remove(&shard)?;
        self.at_hand -= removed.1.at_hand();
        Some(removed)
    }
}
