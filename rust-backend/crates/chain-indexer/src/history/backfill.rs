//! History below what is stored, filled in beside the indexer of the same chain or without it.
//!
//! A gap is what `covered_ranges` does not have for the chain's registries, up to the last final
//! block and not above the highest stored one: what comes above that is the indexer's. A gap is
//! filled upwards, so that events are judged in the chain's order as far as that is possible. Each
//! commit is a range that is covered; whoever begins again begins with the gaps that are left. The
//! checkpoint stays where it is.
//!
//! Where no indexer has ever stored a block (`chain_readers`), all that is final is history: above
//! what an earlier run has stored, too, and beside an indexer that waits for its first block. One
//! that begins meanwhile goes on above what it finds, and takes over.

use std::num::NonZeroU32;
use std::ops::RangeInclusive;
use std::sync::Arc;

use event_store::chain::chain_readers::{self, Reader};
use event_store::chain::covered_ranges::{self, CoveredRange};
use event_store::chain::observed_blocks;
use event_store::chain::orphaned_blocks;
use event_store::chain::reorgs::Returning;
use event_store::events::forgeries;
use event_store::events::new_events::{self, IfStored};
use event_store::{PgPool, StoreError, answered, answered_at_length};
use tokio_util::sync::CancellationToken;

use crate::fetch::ranges::Ranges;
use crate::fetch::stretch::{Stretch, covered_addresses};
use crate::follow::finality::Finality;
use crate::rpc::node::Nodes;
use crate::rpc::node_backoff;
use crate::settings::{ChainRole as _, RegistryAddresses as _};
use crate::{ChainSettings, IndexerError, Result};

/// Ranges that are fetched at once: fewer than the indexer's, whose nodes they are.
const RANGES_AHEAD_MAX: usize = 3;
/// Failures in a row until it gives up: some two minutes.
const FAILURES_MAX: u32 = 12;

/// What is to be filled.
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

/// How far it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BackfillProgress {
    /// The blocks that history goes from and to: what was asked for, as far as it is final and not
    /// the indexer's. `None` where no block is.
    pub range: Option<RangeInclusive<u64>>,
    /// Blocks of it that were missing at the beginning.
    pub blocks_missing: u64,
    /// Blocks of these that are stored.
    pub blocks_done: u64,
    /// Rows of `events` that were written.
    pub events_stored: u64,
    /// The last block that was stored.
    pub block: Option<u64>,
    /// Why the latest try failed, while it is tried again.
    pub problem: Option<String>,
    /// Whether nothing is missing any more.
    pub is_complete: bool,
}

/// How a try ended.
enum Ended {
    Complete,
    ByShutdown,
    /// The indexer has begun meanwhile: what is missing has to be looked at again.
    Overtaken,
}

/// What is stored, and what is missing.
struct Missing {
    gaps: Vec<RangeInclusive<u64>>,
    others: Others,
}

/// Who else stores blocks of the chain.
enum Others {
    /// Its indexer, above the highest one.
    Indexer,
    /// Nobody has: the highest one is this, or there is none.
    Nobody { highest: Option<i64> },
}

impl Backfill {
    /// Fills the gaps until there are none, or `shutdown`: what is committed then stays. `show` is
    /// told of each step.
    ///
    /// # Errors
    /// The settings cannot work, a node belongs to another chain, a stored block is another than
    /// the node's, or nodes or store have failed too often in a row.
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
            addresses: covered_addresses(&self.settings),
            settings: Arc::new(self.settings),
            pool: self.pool,
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
                Ok(Ended::Overtaken) => {}
                Ok(ended) => {
                    progress.is_complete = matches!(ended, Ended::Complete);
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
    addresses: Vec<String>,
    pool: PgPool,
    asked: (Option<u64>, Option<u64>),
}

impl Filling {
    /// Looks at what is missing, and fills it.
    async fn fill(
        &self,
        shutdown: &CancellationToken,
        progress: &mut BackfillProgress,
        show: &impl Fn(&BackfillProgress),
    ) -> Result<Ended> {
        let looked = shutdown.run_until_cancelled(self.missing(progress)).await;
        let Some(Missing { gaps, mut others }) = looked.transpose()? else {
            return Ok(Ended::ByShutdown);
        };
        let left: u64 = gaps.iter().map(|gap| gap.end() - gap.start() + 1).sum();
        progress.blocks_missing = progress.blocks_done + left;
        show(progress);
        for gap in gaps {
            let mut ranges = Ranges::new(&self.nodes, &self.settings, gap, RANGES_AHEAD_MAX);
            loop {
                let fetched = shutdown.run_until_cancelled(ranges.next()).await;
                let Some(fetched) = fetched.transpose()? else { return Ok(Ended::ByShutdown) };
                let Some(stretch) = fetched else { break };
                // Not interrupted: a transaction under way is finished.
                let stored = answered_at_length(self.commit(&stretch, &others)).await;
                let stored = stored.map_err(|source| self.store_error(source))?;
                let rows = match stored {
                    Commit::Done(rows) => rows,
                    Commit::Overtaken => return Ok(Ended::Overtaken),
                    Commit::Contradicts(block) => return Err(self.contradiction(block)),
                };
                if let Others::Nobody { highest } = &mut others {
                    *highest = (*highest).max(Some(stretch.tip.number));
                }
                progress.blocks_done += stretch.blocks();
                progress.events_stored += rows;
                progress.block = Some(stretch.tip.number.unsigned_abs());
                progress.problem = None;
                show(progress);
            }
        }
        Ok(Ended::Complete)
    }

    async fn missing(&self, progress: &mut BackfillProgress) -> Result<Missing> {
        let node = self.nodes.current();
        let head = node.head().await?.number.unsigned_abs();
        let mut finality = Finality::new(self.settings.finality_depth);
        let reach = finality.reach(node, head).await?;
        let looked = answered(self.look()).await;
        let (highest, has_indexer, ranges) = looked.map_err(|source| self.store_error(source))?;
        let first = self.asked.0.unwrap_or(self.settings.start_block);
        // Above the highest stored block is the indexer's.
        let indexed = highest.filter(|_| has_indexer).map(i64::unsigned_abs);
        let ends = [self.asked.1, indexed].into_iter().flatten();
        let last = reach.map(|reach| ends.fold(reach, u64::min));
        let others = if has_indexer { Others::Indexer } else { Others::Nobody { highest } };
        let Some(last) = last.filter(|last| *last >= first) else {
            return Ok(Missing { gaps: Vec::new(), others });
        };
        progress.range = Some(first..=last);
        let number = |height: u64| i64::try_from(height).unwrap_or(i64::MAX);
        let gaps = covered_ranges::gaps(&ranges, &self.addresses, number(first)..=number(last));
        let gaps =
            gaps.into_iter().map(|gap| gap.start().unsigned_abs()..=gap.end().unsigned_abs());
        Ok(Missing { gaps: gaps.collect(), others })
    }

    /// The highest stored block, whether an indexer stores blocks, and what is covered.
    async fn look(&self) -> event_store::Result<(Option<i64>, bool, Vec<CoveredRange>)> {
        let id = self.settings.id;
        let Some(highest) = observed_blocks::latest(&self.pool, id, Reader::Indexer).await? else {
            // What is covered is of an earlier life.
            return Ok((None, false, Vec::new()));
        };
        let has_indexer = self.settings.indexed && chain_readers::has_begun(&self.pool, id).await?;
        let ranges = covered_ranges::all(&self.pool, id).await?;
        Ok((Some(highest.number), has_indexer, ranges))
    }

    /// Stores a stretch.
    async fn commit(&self, stretch: &Stretch, others: &Others) -> event_store::Result<Commit> {
        let id = self.settings.id;
        let may = self.settings.rights(Reader::Indexer);
        let highest_orphan = orphaned_blocks::highest(&self.pool, id).await?;
        let orphans = highest_orphan.filter(|_| may.invalidate);
        let mut transaction = self.pool.begin().await?;
        let returning = Returning::of(&mut transaction, id, &stretch.rows, orphans).await?;
        if let Others::Nobody { highest } = others {
            if observed_blocks::highest_for_the_first(&mut transaction, id).await? != *highest {
                return Ok(Commit::Overtaken);
            }
            if highest.is_none() {
                covered_ranges::forget(&mut transaction, id).await?;
                chain_readers::forget(&mut transaction, id).await?;
            }
        }
        let below =
            observed_blocks::at(&mut transaction, id, Reader::Indexer, stretch.below.number)
                .await?;
        if below.is_some_and(|block| block.block_hash != stretch.below.hash) {
            return Ok(Commit::Contradicts(stretch.below.number));
        }
        let above =
            observed_blocks::at(&mut transaction, id, Reader::Indexer, stretch.tip.number + 1)
                .await?;
        if above.is_some_and(|block| block.parent_hash != stretch.tip.hash) {
            return Ok(Commit::Contradicts(stretch.tip.number + 1));
        }
        if let Some(other) =
            observed_blocks::insert_missing(&mut transaction, &stretch.rows).await?
        {
            return Ok(Commit::Contradicts(other));
        }
        let claims = self.settings.registries.claims();
        if may.invalidate {
            let hashes = stretch.hashes();
            let read = stretch.read(id, &hashes, &claims);
            let forged = forgeries::take_back(&mut transaction, &read).await?;
            stretch.tell_forged(&self.settings.name, forged);
        }
        let if_stored = IfStored::by(may);
        let mut rows = new_events::insert(&mut transaction, &stretch.events, if_stored).await?;
        rows += returning.restore(&mut transaction, &claims).await?;
        covered_ranges::cover(&mut transaction, id, &stretch.covers(&self.addresses)).await?;
        transaction.commit().await?;
        Ok(Commit::Done(rows))
    }

    fn store_error(&self, source: StoreError) -> IndexerError {
        IndexerError::Store { chain: self.settings.name.clone(), source }
    }

    fn contradiction(&self, block: i64) -> IndexerError {
        IndexerError::OtherBlock { chain: self.settings.name.clone(), block }
    }
}

/// What came of a transaction.
enum Commit {
    /// It stored so many rows of `events`.
    Done(u64),
    /// Nothing was stored: somebody else has begun with the chain.
    Overtaken,
    /// Nothing was stored: at this height there is another block.
    Contradicts(i64),
}
