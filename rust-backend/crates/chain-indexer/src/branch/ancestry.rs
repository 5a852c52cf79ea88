//! The stored part of a chain: where it ends, putting the next block on top of it, and taking
//! blocks back.

use event_engine::event::ChainId;
use event_store::chain::chain_readers::{self, NodeHead, Reader, Rights};
use event_store::chain::observed_blocks::{self, BlockName};
use event_store::chain::reorgs::{self, NewBranch, ReorgOutcome, Returning};
use event_store::chain::{chain_heights, checkpoints, covered_ranges, orphaned_blocks};
use event_store::events::forgeries::{self, Claims};
use event_store::events::new_events::{self, IfStored};
use event_store::{PgPool, StoreError, answered, answered_at_length};

use crate::branch::walk::Observed;
use crate::fetch::stretch::{Stretch, covered_addresses};
use crate::follow::finality::Finalized;
use crate::health::status::StatusBoard;
use crate::rpc::answer::Link;
use crate::settings::{ChainRole as _, RegistryAddresses as _};
use crate::{ChainSettings, IndexerError, Result};

/// Blocks that are read at once while a fork is looked for: most reorganisations are shorter.
const BLOCKS_PER_PAGE: u32 = 256;

/// A chain's blocks in the store, of which the highest is remembered.
pub(crate) struct Ancestry {
    pool: PgPool,
    chain: String,
    id: ChainId,
    start_block: u64,
    rights: Rights,
    /// The registries, as `covered_ranges` names them.
    addresses: Vec<String>,
    claims: Claims,
    tip: Tip,
    /// A block that is higher was never orphaned, so that it brings nothing back.
    highest_orphan: Option<i64>,
    /// Whether it is stored that the chain is indexed.
    has_begun: bool,
}

/// The highest stored block.
enum Tip {
    /// To be read: at the start, and after a failure, when a commit may or may not have happened.
    Unread,
    /// Nothing of the chain is stored.
    Nothing,
    /// The block that the next one has to follow.
    Block(BlockName),
}

impl Ancestry {
    pub(crate) fn new(pool: PgPool, settings: &ChainSettings) -> Self {
        Self {
            pool,
            chain: settings.name.clone(),
            id: settings.id,
            start_block: settings.start_block,
            rights: settings.rights(Reader::Indexer),
            addresses: covered_addresses(settings),
            claims: settings.registries.claims(),
            tip: Tip::Unread,
            highest_orphan: None,
            has_begun: false,
        }
    }

    /// The height of the next block to store.
    pub(crate) async fn next_number(&mut self) -> Result<u64> {
        if let Tip::Unread = self.tip {
            let latest =
                answered(observed_blocks::latest(&self.pool, self.id, Reader::Indexer)).await;
            let latest = latest.map_err(|source| self.store_error(source))?;
            let highest_orphan = answered(orphaned_blocks::highest(&self.pool, self.id)).await;
            self.highest_orphan = highest_orphan.map_err(|source| self.store_error(source))?;
            self.say_where(latest.as_ref());
            self.tip = latest.map_or(Tip::Nothing, Tip::Block);
        }
        match &self.tip {
            Tip::Unread | Tip::Nothing => Ok(self.start_block),
            Tip::Block(tip) => u64::try_from(tip.number)
                .map(|number| number + 1)
                .map_err(|_| self.store_error(self.negative_number(tip))),
        }
    }

    /// Reads the highest stored block again: another reader may have moved it.
    pub(crate) fn unsure(&mut self) {
        self.tip = Tip::Unread;
    }

    /// The highest stored block, where it is known and there is one.
    pub(crate) fn tip(&self) -> Option<&BlockName> {
        match &self.tip {
            Tip::Block(tip) => Some(tip),
            Tip::Unread | Tip::Nothing => None,
        }
    }

    /// Whether another block than this one is stored at its height.
    pub(crate) async fn contradicts(&self, link: Link) -> Result<bool> {
        let found = link.name();
        if self.tip().is_some_and(|tip| *tip == found) {
            return Ok(false);
        }
        let page = self.page(found.number, 1).await?;
        Ok(page
            .first()
            .is_some_and(|stored| stored.number == found.number && stored.hash != found.hash))
    }

    /// Some of the stored blocks from `height` downwards, highest first; none where there is none.
    pub(crate) async fn downwards(&self, height: i64) -> Result<Vec<BlockName>> {
        self.page(height, BLOCKS_PER_PAGE).await
    }

    async fn page(&self, height: i64, count: u32) -> Result<Vec<BlockName>> {
        let (pool, reader) = (&self.pool, Reader::Indexer);
        let page = answered(observed_blocks::downwards(pool, self.id, reader, height, count)).await;
        page.map_err(|source| self.store_error(source))
    }

    /// Stores the stretch, its events and, where it is the chain's writer, the checkpoint of its
    /// last block in one transaction.
    /// Returns how many rows of `events` were written; `None` where it does not stand on the
    /// highest stored block, or somebody else has begun with the chain.
    pub(crate) async fn append(&mut self, stretch: &Stretch) -> Result<Option<u64>> {
        if self.tip().is_some_and(|tip| *tip != stretch.below) {
            return Ok(None);
        }
        match answered_at_length(self.commit(stretch)).await {
            Ok(Some(rows)) => {
                self.tip = Tip::Block(stretch.tip.clone());
                self.has_begun = true;
                Ok(Some(rows))
            }
            Ok(None) => {
                self.tip = Tip::Unread;
                Ok(None)
            }
            Err(source) => {
                self.tip = Tip::Unread;
                Err(self.store_error(source))
            }
        }
    }

    async fn commit(&self, stretch: &Stretch) -> event_store::Result<Option<u64>> {
        let id = self.id;
        let may = self.rights;
        let mut transaction = self.pool.begin().await?;
        let orphans = self.highest_orphan.filter(|_| may.invalidate);
        let returning = Returning::of(&mut transaction, id, &stretch.rows, orphans).await?;
        let is_first = matches!(self.tip, Tip::Nothing);
        if is_first || !self.has_begun {
            // Until the indexer has begun, a backfill stores above the highest block, too.
            let highest = observed_blocks::highest_for_the_first(&mut transaction, id).await?;
            if highest != self.tip().map(|tip| tip.number) {
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
        observed_blocks::insert(&mut transaction, Reader::Indexer, &stretch.rows).await?;
        if may.invalidate {
            let hashes = stretch.hashes();
            let read = stretch.read(id, &hashes, &self.claims);
            let forged = forgeries::take_back(&mut transaction, &read).await?;
            stretch.tell_forged(&self.chain, forged);
        }
        let mut rows =
            new_events::insert(&mut transaction, &stretch.events, IfStored::by(may)).await?;
        covered_ranges::cover(&mut transaction, id, &stretch.covers(&self.addresses)).await?;
        rows += returning.restore(&mut transaction, &self.claims).await?;
        if let Some(last) = stretch.rows.last().filter(|_| may.set_checkpoint) {
            checkpoints::set(&mut transaction, id, &last.name(), last.timestamp).await?;
        }
        transaction.commit().await?;
        Ok(Some(rows))
    }

    /// Whether a block at this height or above may have been orphaned before: then each of them is
    /// stored with its hash, whether it has a log or not, so that it brings back what it had.
    pub(crate) fn may_be_back(&self, number: u64) -> bool {
        self.highest_orphan.is_some_and(|highest| highest.unsigned_abs() >= number)
    }

    /// Takes back what lies above the fork, in one transaction. Returns how many events were
    /// invalidated; `None` where the store has changed meanwhile, and nothing was done.
    pub(crate) async fn take_back(&mut self, reorg: &NewBranch) -> Result<Option<u64>> {
        let outcome = reorgs::follow(&self.pool, reorg, Reader::Indexer, self.rights).await;
        self.highest_orphan = self.highest_orphan.max(Some(reorg.tip.number));
        self.tip = match outcome {
            Ok(ReorgOutcome::Followed { .. }) => Tip::Block(reorg.fork.clone()),
            _ => Tip::Unread,
        };
        match outcome.map_err(|source| self.store_error(source))? {
            ReorgOutcome::Followed { events_invalidated } => Ok(Some(events_invalidated)),
            ReorgOutcome::TipMoved | ReorgOutcome::BelowFinalized => Ok(None),
        }
    }

    /// Height of the highest block that is stored and finalized.
    pub(crate) async fn finalized(&self) -> Result<Option<BlockName>> {
        let block = answered(chain_heights::finalized(&self.pool, self.id)).await;
        block.map_err(|source| self.store_error(source))
    }

    /// Remembers a finalized block for good, if it is stored.
    pub(crate) async fn finalize(&self, block: &Finalized) -> Result<()> {
        let (number, hash) = (block.number, block.hash.as_deref());
        let (pool, block, is_guess) = (&self.pool, (number, hash), block.is_guess);
        let raising =
            chain_heights::raise_finalized(pool, self.id, Reader::Indexer, block, is_guess);
        let raised = answered(raising).await;
        raised.map_err(|source| self.store_error(source))
    }

    /// Remembers a safe block, if it is stored.
    pub(crate) async fn raise_safe(&self, block: &BlockName) -> Result<()> {
        let raising = chain_heights::raise_safe(&self.pool, self.id, Reader::Indexer, block);
        let raised = answered(raising).await;
        raised.map_err(|source| self.store_error(source))
    }

    /// Notes the heads of the chain's nodes, of which these are all.
    pub(crate) async fn see_heads(&self, nodes: &[&str], heads: &[NodeHead]) -> Result<()> {
        let seeing = chain_readers::see_heads(&self.pool, self.id, Reader::Indexer, nodes, heads);
        answered(seeing).await.map_err(|source| self.store_error(source))
    }

    fn say_where(&self, latest: Option<&BlockName>) {
        let (chain, start_block) = (self.chain.as_str(), self.start_block);
        if let Some(tip) = latest {
            let block = tip.number;
            tracing::info!(chain, block, "Indexing goes on above the highest stored block");
        } else {
            tracing::info!(chain, start_block, "Indexing begins at the start block");
        }
    }

    fn store_error(&self, source: StoreError) -> IndexerError {
        IndexerError::Store { chain: self.chain.clone(), source }
    }

    fn negative_number(&self, tip: &BlockName) -> StoreError {
        StoreError::BrokenRow {
            table: "observed_blocks",
            column: "block_number",
            id: format!("{} {}", self.id, tip.number),
            problem: "it is negative".to_owned(),
        }
    }
}

/// The stored blocks of our indexer, as a walk sees them.
pub(crate) struct Followed<'c> {
    pub(crate) ancestry: &'c Ancestry,
    pub(crate) board: &'c StatusBoard,
}

impl Observed for Followed<'_> {
    async fn finalized(&self) -> Result<Option<BlockName>> {
        self.ancestry.finalized().await
    }

    async fn downwards(&self, height: i64) -> Result<Vec<BlockName>> {
        self.ancestry.downwards(height).await
    }

    fn is_lowest_final(&self) -> bool {
        false
    }

    fn alive(&self) {
        self.board.update(self.ancestry.id, |_| {});
    }
}
