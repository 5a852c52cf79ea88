//! History below the stored blocks, filled in beside the chain's indexer or without it.
//!
//! A gap is a range of blocks that `covered_ranges` lacks for the chain's registries, up to the
//! last final block and not above the highest stored one: higher blocks are the indexer's. A gap is
//! filled upwards, so that events are judged in the chain's order as far as possible. Each commit
//! is a covered range, and the next run begins with the gaps that are left. The checkpoint stays
//! where it is.
//!
//! As long as no indexer has begun (`chain_readers`), all final blocks are history, also above
//! those of an earlier run. An indexer that begins meanwhile goes on above them.

use std::num::NonZeroU32;
use std::ops::RangeInclusive;
use std::sync::Arc;

use event_store::chain::chain_readers::{self, Reader};
use event_store::chain::covered_ranges::{self, CoveredRange};
use event_store::chain::reorgs::Returning;
use event_store::chain::{chain_locks, observed_blocks, orphaned_blocks};
use event_store::{PgPool, answered_at_length};
use tokio_util::sync::CancellationToken;

use crate::branch::chain_store::ChainStore;
use crate::fetch::ranges::Ranges;
use crate::fetch::stretch::Stretch;
use crate::follow::finality::FinalityTracker;
use crate::history::first_block::first_block;
use crate::rpc::node_backoff;
use crate::rpc::nodes::Nodes;
use crate::{ChainSettings, IndexerError, Result};

/// Ranges that are fetched at once: fewer than the indexer's, whose nodes they are.
const RANGES_AHEAD_MAX: usize = 3;
/// Failures in a row until it gives up: some two minutes.
const FAILURES_MAX: u32 = 12;

/// The blocks to be filled in.
pub struct Backfill {
    /// Connections to the database; it uses one at a time.
    pub pool: PgPool,
    /// The chain.
    pub settings: ChainSettings,
    /// The lowest block. `None`: the chain's start block.
    pub from: Option<u64>,
    /// The highest block. `None`: as high as the history goes.
    pub to: Option<u64>,
}

/// The progress of a backfill.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BackfillProgress {
    /// The blocks that were asked for, as far as they are final and not the indexer's. `None` if no
    /// block is.
    pub range: Option<RangeInclusive<u64>>,
    /// Blocks of it that were missing at the beginning.
    pub blocks_missing: u64,
    /// Blocks of these that are stored.
    pub blocks_done: u64,
    /// Rows of `events` that were written.
    pub events_stored: u64,
    /// The last block that was stored.
    pub block: Option<u64>,
    /// The latest failure, while it is tried again.
    pub problem: Option<String>,
    /// True once nothing is missing any more.
    pub is_complete: bool,
}

/// The end of a try.
enum FillEnd {
    Complete,
    ByShutdown,
    /// The indexer has begun meanwhile, or the chain was reset: the gaps have to be looked for
    /// again.
    Overtaken,
}

/// The gaps, and the other writer of blocks.
struct Missing {
    gaps: Vec<RangeInclusive<u64>>,
    others: OtherWriter,
    /// Resets of the chain before they were looked for.
    resets: i64,
}

/// Another writer of the chain's blocks.
enum OtherWriter {
    /// Its indexer, above the highest one.
    Indexer,
    /// No indexer has begun. `highest` is the highest stored block.
    Absent { highest: Option<i64> },
}

impl Backfill {
    /// Fills the gaps until none is left, or `shutdown`: committed ranges stay. Calls `show` at
    /// each step.
    ///
    /// # Errors
    /// The settings cannot work, a node belongs to another chain, a stored block differs from the
    /// node's, or nodes or store have failed too often in a row.
    pub async fn run(
        mut self,
        shutdown: &CancellationToken,
        show: impl Fn(&BackfillProgress),
    ) -> Result<BackfillProgress> {
        // The indexer's share is the other half.
        let half = |limit: NonZeroU32| NonZeroU32::new(limit.get() / 2).unwrap_or(limit);
        self.settings.requests_per_second = self.settings.requests_per_second.map(half);
        let filling = Filling {
            nodes: Arc::new(Nodes::new(&self.settings)?),
            store: ChainStore::new(self.pool, &self.settings, Reader::Indexer),
            settings: Arc::new(self.settings),
            asked: (self.from, self.to),
        };
        let mut progress = BackfillProgress::default();
        let (mut backoff, mut failures) = (node_backoff(), 0);
        loop {
            let done = progress.blocks_done;
            let ended = filling.fill(shutdown, &mut progress, &show).await;
            if progress.blocks_done > done {
                failures = 0;
                backoff.reset();
            }
            match ended {
                Ok(FillEnd::Overtaken) => {}
                Ok(ended) => {
                    progress.is_complete = matches!(ended, FillEnd::Complete);
                    show(&progress);
                    return Ok(progress);
                }
                Err(error) if error.stops_the_chain() || failures >= FAILURES_MAX => {
                    return Err(error);
                }
                Err(error) => {
                    failures += 1;
                    progress.problem = Some(error.to_string());
                    show(&progress);
                    let wait = tokio::time::sleep(backoff.next_wait());
                    if shutdown.run_until_cancelled(wait).await.is_none() {
                        return Ok(progress);
                    }
                }
            }
        }
    }
}

struct Filling {
    nodes: Arc<Nodes>,
    settings: Arc<ChainSettings>,
    store: ChainStore,
    asked: (Option<u64>, Option<u64>),
}

impl Filling {
    /// Looks for gaps, and fills them.
    async fn fill(
        &self,
        shutdown: &CancellationToken,
        progress: &mut BackfillProgress,
        show: &impl Fn(&BackfillProgress),
    ) -> Result<FillEnd> {
        let looked = shutdown.run_until_cancelled(self.missing(progress)).await;
        let Some(Missing { gaps, mut others, resets }) = looked.transpose()? else {
            return Ok(FillEnd::ByShutdown);
        };
        let left: u64 = gaps.iter().map(|gap| gap.end() - gap.start() + 1).sum();
        progress.blocks_missing = progress.blocks_done + left;
        show(progress);
        for gap in gaps {
            let mut ranges = Ranges::new(&self.nodes, &self.settings, gap, RANGES_AHEAD_MAX);
            loop {
                let fetched = shutdown.run_until_cancelled(ranges.next()).await;
                let Some(fetched) = fetched.transpose()? else { return Ok(FillEnd::ByShutdown) };
                let Some(stretch) = fetched else { break };
                // Not interrupted: a transaction under way is finished.
                let stored = answered_at_length(self.commit(&stretch, &others, resets)).await;
                let rows = match self.store.named(stored)? {
                    Commit::Done(rows) => rows,
                    Commit::Overtaken => return Ok(FillEnd::Overtaken),
                    Commit::Contradicts(block) => {
                        let chain = self.store.name.clone();
                        return Err(IndexerError::OtherBlock { chain, block });
                    }
                };
                if let OtherWriter::Absent { highest } = &mut others {
                    *highest = (*highest).max(Some(stretch.tip.number));
                }
                progress.blocks_done += stretch.blocks();
                progress.events_stored += rows;
                progress.block = Some(stretch.tip.number.unsigned_abs());
                progress.problem = None;
                show(progress);
            }
        }
        Ok(FillEnd::Complete)
    }

    async fn missing(&self, progress: &mut BackfillProgress) -> Result<Missing> {
        let node = self.nodes.current();
        let head = node.head().await?.number.unsigned_abs();
        let mut finality = FinalityTracker::new(self.settings.finality_depth);
        let reach = finality.reach(node, head).await?;
        let (highest, has_indexer, ranges, resets) = self.store.asked(self.look()).await?;
        let first = match self.asked.0 {
            Some(first) => first,
            None => first_block(&self.nodes, &self.settings, || ()).await?,
        };
        // Blocks above the highest stored one are the indexer's.
        let indexed = highest.filter(|_| has_indexer).map(i64::unsigned_abs);
        let ends = [self.asked.1, indexed].into_iter().flatten();
        let last = reach.map(|reach| ends.fold(reach, u64::min));
        let others =
            if has_indexer { OtherWriter::Indexer } else { OtherWriter::Absent { highest } };
        let Some(last) = last.filter(|last| *last >= first) else {
            return Ok(Missing { gaps: Vec::new(), others, resets });
        };
        progress.range = Some(first..=last);
        let number = |height: u64| i64::try_from(height).unwrap_or(i64::MAX);
        let gaps =
            covered_ranges::gaps(&ranges, &self.store.addresses, number(first)..=number(last));
        let gaps =
            gaps.into_iter().map(|gap| gap.start().unsigned_abs()..=gap.end().unsigned_abs());
        Ok(Missing { gaps: gaps.collect(), others, resets })
    }

    /// The highest stored block, true if an indexer stores blocks, the covered ranges, and the
    /// number of resets before.
    async fn look(&self) -> event_store::Result<(Option<i64>, bool, Vec<CoveredRange>, i64)> {
        let (pool, id) = (&self.store.pool, self.store.id);
        let resets = chain_locks::resets(pool, id).await?;
        let Some(highest) = observed_blocks::latest(pool, id, Reader::Indexer).await? else {
            // The covered ranges are of an earlier life.
            return Ok((None, false, Vec::new(), resets));
        };
        let has_indexer = self.settings.indexed && chain_readers::has_begun(pool, id).await?;
        let ranges = covered_ranges::all(pool, id).await?;
        Ok((Some(highest.number), has_indexer, ranges, resets))
    }

    async fn commit(
        &self,
        stretch: &Stretch,
        others: &OtherWriter,
        resets: i64,
    ) -> event_store::Result<Commit> {
        let (store, id) = (&self.store, self.store.id);
        let highest_orphan = orphaned_blocks::highest(&store.pool, id).await?;
        let orphans = highest_orphan.filter(|_| store.rights.invalidate);
        let mut transaction = store.pool.begin().await?;
        chain_locks::hold(&mut transaction, id).await?;
        if chain_locks::resets(&mut *transaction, id).await? != resets {
            return Ok(Commit::Overtaken);
        }
        let returning = Returning::of(&mut transaction, id, &stretch.rows, orphans).await?;
        if let OtherWriter::Absent { highest } = others {
            let found = observed_blocks::highest_for_the_first(&mut transaction, id).await?;
            // Where no block is stored, an indexer had begun in an earlier life.
            let has_indexer = self.settings.indexed
                && highest.is_some()
                && chain_readers::has_begun(&mut *transaction, id).await?;
            if found != *highest || has_indexer {
                return Ok(Commit::Overtaken);
            }
            if highest.is_none() {
                covered_ranges::forget(&mut transaction, id).await?;
                chain_readers::forget(&mut transaction, id).await?;
            }
        }
        let (reader, below, above) =
            (Reader::Indexer, stretch.below.number, stretch.tip.number + 1);
        let block = observed_blocks::at(&mut transaction, id, reader, below).await?;
        if block.is_some_and(|block| block.block_hash != stretch.below.hash) {
            return Ok(Commit::Contradicts(below));
        }
        let block = observed_blocks::at(&mut transaction, id, reader, above).await?;
        if block.is_some_and(|block| block.parent_hash != stretch.tip.hash) {
            return Ok(Commit::Contradicts(above));
        }
        let other = observed_blocks::insert_missing(&mut transaction, &stretch.rows).await?;
        if let Some(other) = other {
            return Ok(Commit::Contradicts(other));
        }
        let rows = store.write_events(&mut transaction, stretch, &returning).await?;
        transaction.commit().await?;
        Ok(Commit::Done(rows))
    }
}

/// The outcome of a transaction.
enum Commit {
    /// It stored so many rows of `events`.
    Done(u64),
    /// Nothing was stored: another process has begun with the chain, or reset it.
    Overtaken,
    /// Nothing was stored: at this height there is another block.
    Contradicts(i64),
}

#[cfg(test)]
mod tests {
    use event_engine::event::ChainId;
    use private_servers::Postgres;
    use serde_json::json;

    use super::*;
    use crate::branch::ancestry::Ancestry;
    use crate::fetch::block::block;
    use crate::rpc::answer::{NodeHeader, NodeLog};
    use crate::settings;

    /// One block without a log.
    fn blocks(settings: &ChainSettings, number: u64) -> Stretch {
        let hash = |number: u64| format!("0x{number:064x}");
        let header: NodeHeader = serde_json::from_value(json!({
            "number": format!("{number:#x}"),
            "hash": hash(number),
            "parentHash": hash(number - 1),
            "timestamp": "0x68e77800",
        }))
        .expect("a header");
        let none: [NodeLog; 0] = [];
        Stretch::of(block(settings, number, &header, &none).expect("a block"))
    }

    #[tokio::test]
    async fn an_indexer_begins_beside_a_backfill_that_is_always_faster() {
        let server = Postgres::for_test().expect("a private PostgreSQL");
        let pool = event_store::connect(&server.url(), "test", 2).await.expect("a connection");
        event_store::connection::migrations::migrate(&pool).await.expect("the schema");
        let settings = settings::of_test("devnet", ChainId(31_337));
        let filling = Filling {
            nodes: Arc::new(Nodes::new(&settings).expect("settings")),
            store: ChainStore::new(pool.clone(), &settings, Reader::Indexer),
            settings: Arc::new(settings.clone()),
            asked: (None, None),
        };
        let mut indexer = Ancestry::new(pool, &settings);
        assert_eq!(indexer.next_number().await.expect("a height"), Some(0));

        let absent = |highest| OtherWriter::Absent { highest };
        let first = filling.commit(&blocks(&settings, 1), &absent(None), 0).await;
        assert!(matches!(first, Ok(Commit::Done(_))));
        let appended = indexer.append(&blocks(&settings, 1)).await;
        assert_eq!(appended.expect("a store"), None, "the backfill was faster");
        let next = filling.commit(&blocks(&settings, 2), &absent(Some(1)), 0).await;
        assert!(matches!(next, Ok(Commit::Overtaken)));
        assert_eq!(indexer.next_number().await.expect("a height"), Some(2));
        let appended = indexer.append(&blocks(&settings, 2)).await;
        assert_eq!(appended.expect("a store"), Some(0));
    }
}
