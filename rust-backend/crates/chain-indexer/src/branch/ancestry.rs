//! The stored part of a chain: its highest block, the next block on top of it, and reorganisations.

use event_store::chain::chain_readers::{self, Reader};
use event_store::chain::observed_blocks::{self, BlockName};
use event_store::chain::reorgs::{NewBranch, Returning};
use event_store::chain::{checkpoints, covered_ranges, orphaned_blocks};
use event_store::{PgPool, StoreError, answered_at_length};
use service::config::StartBlock;

use crate::branch::chain_store::ChainStore;
use crate::fetch::stretch::Stretch;
use crate::{ChainSettings, Result};

/// A chain's blocks in the store, of which the highest is remembered.
pub(crate) struct Ancestry {
    pub(crate) store: ChainStore,
    /// The first block, as the settings say it.
    configured_start: StartBlock,
    tip: Tip,
    /// A block above it was never orphaned, and has no events to restore.
    highest_orphan: Option<i64>,
    /// True once `chain_readers` says that the chain is indexed.
    has_begun: bool,
    /// The tip that the log told of last.
    told: Tip,
}

/// The highest stored block.
#[derive(Clone, PartialEq)]
enum Tip {
    /// Unknown: at the start, and after a failure, when a commit may or may not have happened.
    Unread,
    /// Nothing of the chain is stored.
    Nothing,
    /// The block that the next one has to follow.
    Block(BlockName),
}

impl Ancestry {
    pub(crate) fn new(pool: PgPool, settings: &ChainSettings) -> Self {
        Self {
            store: ChainStore::new(pool, settings, Reader::Indexer),
            configured_start: settings.start_block,
            tip: Tip::Unread,
            highest_orphan: None,
            has_begun: false,
            told: Tip::Unread,
        }
    }

    /// The height of the next block to store; `None` if nothing is stored and the first block is
    /// not known: [`Self::start_at`] says it.
    pub(crate) async fn next_number(&mut self) -> Result<Option<u64>> {
        if let Tip::Unread = self.tip {
            let store = &self.store;
            let latest = store.latest().await?;
            self.highest_orphan =
                store.asked(orphaned_blocks::highest(&store.pool, store.id)).await?;
            let tip = latest.clone().map_or(Tip::Nothing, Tip::Block);
            if self.told != tip {
                self.say_where(latest.as_ref());
                self.told = tip.clone();
            }
            if latest.is_none() && self.has_begun {
                // The chain was reset beside us. The new one's first block may be another.
                self.store.start_block = self.configured_start;
                self.has_begun = false;
            }
            self.tip = tip;
        }
        match &self.tip {
            Tip::Unread | Tip::Nothing => Ok(self.start_block()),
            Tip::Block(tip) => {
                let number = u64::try_from(tip.number).map_err(|_| self.negative_number(tip));
                Ok(Some(self.store.named(number)? + 1))
            }
        }
    }

    /// Says the first block, where the settings do not.
    pub(crate) fn start_at(&mut self, block: u64) {
        self.store.start_block = StartBlock::At(block);
        self.say_where(None);
    }

    /// Has the highest stored block read again: another reader may have moved it.
    pub(crate) fn unsure(&mut self) {
        self.tip = Tip::Unread;
    }

    /// The highest stored block, if it is known and there is one.
    pub(crate) fn tip(&self) -> Option<&BlockName> {
        match &self.tip {
            Tip::Block(tip) => Some(tip),
            Tip::Unread | Tip::Nothing => None,
        }
    }

    /// Stores blocks, their events and, if we are the chain's writer, the checkpoint of the last
    /// one, in one transaction. Returns how many rows of `events` were written; `None` if the
    /// blocks do not follow the highest stored one, or another process has begun with the chain or
    /// reset it.
    pub(crate) async fn append(&mut self, stretch: &Stretch) -> Result<Option<u64>> {
        if self.tip().is_some_and(|tip| *tip != stretch.below) {
            return Ok(None);
        }
        let committed = answered_at_length(self.commit(stretch)).await;
        self.tip = Tip::Unread;
        let rows = self.store.named(committed)?;
        if rows.is_some() {
            self.tip = Tip::Block(stretch.tip.clone());
            self.has_begun = true;
        }
        Ok(rows)
    }

    async fn commit(&self, stretch: &Stretch) -> event_store::Result<Option<u64>> {
        let (store, id, rights) = (&self.store, self.store.id, self.store.rights);
        let mut transaction = store.pool.begin().await?;
        let orphans = self.highest_orphan.filter(|_| rights.invalidate);
        let returning = Returning::of(&mut transaction, id, &stretch.rows, orphans).await?;
        let is_first = matches!(self.tip, Tip::Nothing);
        if is_first || !self.has_begun {
            // Until the indexer has begun, a backfill stores above the highest block, too.
            let highest = observed_blocks::highest_for_the_first(&mut transaction, id).await?;
            if highest != self.tip().map(|tip| tip.number) {
                // A backfill that stores faster each time ends once the indexer has begun.
                chain_readers::begin(&mut transaction, id).await?;
                transaction.commit().await?;
                return Ok(None);
            }
        }
        if is_first {
            covered_ranges::forget(&mut transaction, id).await?;
        }
        if !self.has_begun {
            chain_readers::begin(&mut transaction, id).await?;
        }
        // First, because a second indexer of the same chain waits and fails here.
        let reader = Reader::Indexer;
        let rows = &stretch.rows;
        if !observed_blocks::insert(&mut transaction, reader, self.tip(), rows).await? {
            return Ok(None);
        }
        let rows = store.write_events(&mut transaction, stretch, &returning).await?;
        if let Some(last) = stretch.rows.last().filter(|_| rights.set_checkpoint) {
            checkpoints::set(&mut transaction, id, &last.name(), last.timestamp).await?;
        }
        transaction.commit().await?;
        Ok(Some(rows))
    }

    /// True if a block at this height or above may have been orphaned before. Then each block is
    /// stored with its hash, with logs or without, so that its events are restored.
    pub(crate) fn may_be_back(&self, number: u64) -> bool {
        self.highest_orphan.is_some_and(|highest| highest.unsigned_abs() >= number)
    }

    /// Invalidates the events above the fork and moves the tip there. Returns how many events were
    /// invalidated; `None` if the store has changed meanwhile and nothing was done.
    pub(crate) async fn follow(&mut self, reorg: &NewBranch) -> Result<Option<u64>> {
        self.tip = Tip::Unread;
        self.highest_orphan = self.highest_orphan.max(Some(reorg.tip.number));
        let invalidated = self.store.follow(reorg).await?;
        if invalidated.is_some() {
            self.tip = Tip::Block(reorg.fork.clone());
        }
        Ok(invalidated)
    }

    fn start_block(&self) -> Option<u64> {
        match self.store.start_block {
            StartBlock::At(block) => Some(block),
            StartBlock::Unknown { .. } => None,
        }
    }

    fn say_where(&self, latest: Option<&BlockName>) {
        let chain = self.store.name.as_str();
        if let Some(BlockName { number: block, .. }) = latest {
            tracing::info!(chain, block, "Indexing goes on above the highest stored block");
        } else if let Some(start_block) = self.start_block() {
            tracing::info!(chain, start_block, "Indexing begins at the start block");
        }
    }

    fn negative_number(&self, tip: &BlockName) -> StoreError {
        StoreError::BrokenRow {
            table: "observed_blocks",
            column: "block_number",
            id: format!("{} {}", self.store.id, tip.number),
            problem: "it is negative".to_owned(),
        }
    }
}
