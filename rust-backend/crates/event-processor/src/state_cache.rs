//! The triggers' state of shards, cached between two batches.

use std::collections::HashMap;

use event_engine::event::ChainId;
use event_engine::log::Position;
use event_engine::port::ShardBatch;
use event_engine::state::ShardState;
use parking_lot::Mutex;

/// Observations cached of all shards together: about 100 MB. Beyond it the cache is emptied and
/// filled again as needed.
pub(crate) const OBSERVATIONS_MAX: usize = 300_000;

/// The state of shards, each after the last batch that this process committed.
///
/// It is valid only while the shard's cursor stands where that batch left it and this process moved
/// it there: any other processor's batch moves it, and after a crash of the store another one may
/// have judged the undone batch again.
#[derive(Debug)]
pub(crate) struct StateCache {
    observations_max: usize,
    cached: Mutex<Cached>,
}

#[derive(Debug, Default)]
struct Cached {
    shards: HashMap<ChainId, (Position, ShardState)>,
    /// The observations of all of them.
    at_hand: usize,
}

impl StateCache {
    /// A cache of at most so many observations.
    pub(crate) fn new(observations_max: usize) -> Self {
        Self { observations_max, cached: Mutex::default() }
    }

    /// Removes and returns the state of a shard at the batch's cursor. After an error it is not
    /// put back, because the commit is uncertain.
    pub(crate) fn take(&self, batch: &ShardBatch) -> ShardState {
        match self.cached.lock().remove(batch.shard) {
            Some((at, state)) if batch.is_continued && at == batch.cursor => state,
            _ => ShardState::default(),
        }
    }

    /// Puts the state of a shard at the cursor that was committed with it.
    pub(crate) fn put(&self, shard: ChainId, cursor: Position, state: ShardState) {
        if state.at_hand() == 0 {
            return;
        }
        let mut cached = self.cached.lock();
        cached.remove(shard);
        cached.at_hand += state.at_hand();
        cached.shards.insert(shard, (cursor, state));
        if cached.at_hand > self.observations_max {
            *cached = Cached::default();
        }
    }
}

impl Cached {
    fn remove(&mut self, shard: ChainId) -> Option<(Position, ShardState)> {
        let removed = self.shards.remove(&shard)?;
        self.at_hand -= removed.1.at_hand();
        Some(removed)
    }
}
