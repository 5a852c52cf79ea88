//! Logs compared once more: blocks at the head are passed by their bloom filter, and some chains
//! leave logs out of the filter. The logs of such blocks are asked for again as ranges, beside the
//! chain's loop, and missing ones are stored; from then on no filter of the chain is believed.

use std::sync::Arc;
use std::time::{Duration, Instant};

use event_store::answered_at_length;
use event_store::chain::chain_locks;
use event_store::chain::chain_readers;
use event_store::chain::observed_blocks;
use event_store::events::new_events::{self, IfStored};
use tokio::time::interval;

use crate::branch::chain_store::ChainStore;
use crate::fetch::range;
use crate::fetch::stretch::Stretch;
use crate::rpc::nodes::Nodes;
use crate::{ChainSettings, Result};

/// Interval between two looks.
const LOOKED_AT_EVERY: Duration = Duration::from_secs(5);
/// Wait after a failure: nothing else waits for a comparison.
const AFTER_FAILURE: Duration = Duration::from_mins(1);
/// Interval between two comparisons: with the distance from the head, all is compared within ten
/// minutes.
const COMPARED_EVERY: Duration = Duration::from_mins(4);
/// Blocks that are compared before the interval is over.
const BLOCKS_AT_ONCE: i64 = 128;
/// Blocks below the head that wait: nodes index logs later than blocks.
const DISTANCE: i64 = 16;

/// Compares the stored logs of a chain with those of ranges.
pub(crate) struct LogComparer {
    pub(crate) nodes: Arc<Nodes>,
    pub(crate) settings: Arc<ChainSettings>,
    pub(crate) store: ChainStore,
}

/// The end of a comparison.
enum Compared {
    /// All is compared up to near the head.
    ToTheEnd,
    /// Few blocks are left, and the interval is not over.
    NotDue,
    /// A block is not on the stored branch.
    OtherBranch,
}

impl LogComparer {
    /// Compares until it is dropped. A failure is tried again: nothing waits for it.
    pub(crate) async fn run(self) {
        let mut looks = interval(LOOKED_AT_EVERY);
        let mut compared_at = Instant::now();
        loop {
            looks.tick().await;
            match self.compare(compared_at.elapsed() >= COMPARED_EVERY).await {
                Ok(Compared::ToTheEnd) => compared_at = Instant::now(),
                Ok(Compared::NotDue) => {}
                // The chain's loop follows it first; the same question would cost as much again.
                Ok(Compared::OtherBranch) => looks.reset_after(AFTER_FAILURE),
                Err(error) => {
                    tracing::debug!(%error, "Logs are not compared yet");
                    looks.reset_after(AFTER_FAILURE);
                }
            }
        }
    }

    /// Compares the blocks that are due, a range at a time.
    async fn compare(&self, is_due: bool) -> Result<Compared> {
        let (pool, id) = (&self.store.pool, self.store.id);
        loop {
            let resets = self.store.asked(chain_locks::resets(pool, id)).await?;
            let known = self.store.asked(chain_readers::log_comparison(pool, id)).await?;
            if let Some(block) = known.wrong_filter_at {
                self.nodes.distrust_filters(block.unsigned_abs());
            } else if let Some(block) = self.nodes.wrong_filter_at() {
                let noting = chain_readers::note_wrong_filter(pool, id, block.cast_signed());
                self.store.asked(noting).await?;
            }
            let Some(tip) = self.store.latest().await? else {
                return Ok(Compared::NotDue);
            };
            let first = known.compared_to.map_or(i64::MIN, |height| height + 1);
            let start_block = self.store.asked(self.store.start_block(pool)).await?;
            let first = first.max(start_block.unwrap_or(i64::MAX));
            let last = tip.number - DISTANCE;
            if last < first {
                return Ok(if is_due { Compared::ToTheEnd } else { Compared::NotDue });
            }
            if !is_due && last - first < BLOCKS_AT_ONCE {
                return Ok(Compared::NotDue);
            }
            let (from, to) = (first.unsigned_abs(), last.unsigned_abs());
            let piece = range::fetch(&self.nodes, &self.settings, from, to).await?;
            for stretch in &piece.stretches {
                let stored = answered_at_length(self.store_left_out(stretch, resets)).await;
                let Some(events) = self.store.named(stored)? else {
                    return Ok(Compared::OtherBranch);
                };
                if events > 0 {
                    let chain = self.store.name.as_str();
                    let first = stretch.events.first().map(|event| event.block_number);
                    let block = first.unwrap_or(stretch.tip.number);
                    tracing::warn!(
                        chain,
                        events,
                        block,
                        "Logs that a bloom filter lacks are stored"
                    );
                    self.nodes.distrust_filters(block.unsigned_abs());
                }
            }
        }
    }

    /// Stores the events of the stretch that are missing, and notes its blocks as compared. `None`
    /// if one of the blocks is not on the stored branch, or the chain was reset meanwhile.
    async fn store_left_out(
        &self,
        stretch: &Stretch,
        resets: i64,
    ) -> event_store::Result<Option<u64>> {
        let (store, reader) = (&self.store, self.store.reader);
        let mut transaction = store.pool.begin().await?;
        chain_locks::hold(&mut transaction, store.id).await?;
        if chain_locks::resets(&mut *transaction, store.id).await? != resets {
            return Ok(None);
        }
        for row in &stretch.rows {
            let number = row.block_number;
            let stored = observed_blocks::hash_at(&mut *transaction, store.id, reader, number);
            let is_ours = match stored.await? {
                Some(hash) => hash == row.block_hash,
                // Of blocks that were read as ranges, those without a log have no row.
                None => stretch.events.iter().all(|event| event.block_number != number),
            };
            if !is_ours {
                return Ok(None);
            }
        }
        let leave = IfStored::Leave;
        let events = new_events::insert(&mut transaction, &stretch.events, leave).await?;
        store.raise_compared(&mut transaction, stretch).await?;
        transaction.commit().await?;
        Ok(Some(events))
    }
}
