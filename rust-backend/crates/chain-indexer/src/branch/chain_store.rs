//! The rows of one chain, as one of our readers asks for them.

use event_engine::event::ChainId;
use event_store::chain::chain_readers::{self, NodeHead, Reader, Rights};
use event_store::chain::observed_blocks::{self, BlockName};
use event_store::chain::reorgs::{self, NewBranch, ReorgOutcome, Returning};
use event_store::chain::{audit_cursors, chain_heights, covered_ranges};
use event_store::events::forgeries::{self, Claims};
use event_store::events::new_events::{self, IfStored};
use event_store::{PgConnection, PgExecutor, PgPool, answered};
use service::config::StartBlock;

use crate::fetch::stretch::{Stretch, covered_addresses};
use crate::follow::finality::Finalized;
use crate::settings::{ChainRole as _, RegistryAddresses as _};
use crate::{ChainSettings, IndexerError, Result};

/// Blocks of one page on a walk: most reorganisations are shorter.
const BLOCKS_PER_PAGE: u32 = 256;

/// A chain in the database, for one reader.
pub(crate) struct ChainStore {
    pub(crate) pool: PgPool,
    pub(crate) id: ChainId,
    /// The operator's name for the chain.
    pub(crate) name: String,
    pub(crate) reader: Reader,
    pub(crate) rights: Rights,
    /// The first block that is read, as far as the settings say it.
    pub(crate) start_block: StartBlock,
    /// The registries' contracts, as `covered_ranges` names them.
    pub(crate) addresses: Vec<String>,
    pub(crate) claims: Claims,
}

impl ChainStore {
    pub(crate) fn new(pool: PgPool, settings: &ChainSettings, reader: Reader) -> Self {
        Self {
            pool,
            id: settings.id,
            name: settings.name.clone(),
            reader,
            rights: settings.rights(reader),
            start_block: settings.start_block,
            addresses: covered_addresses(settings),
            claims: settings.registries.claims(),
        }
    }

    /// The result of a statement, within the statement's time.
    pub(crate) async fn asked<T>(
        &self,
        statement: impl Future<Output = event_store::Result<T>>,
    ) -> Result<T> {
        self.named(answered(Box::pin(statement)).await)
    }

    /// Adds the chain's name to an error.
    pub(crate) fn named<T>(&self, result: event_store::Result<T>) -> Result<T> {
        result.map_err(|source| IndexerError::Store { chain: self.name.clone(), source })
    }

    /// The highest block that the reader has observed.
    pub(crate) async fn latest(&self) -> Result<Option<BlockName>> {
        self.asked(observed_blocks::latest(&self.pool, self.id, self.reader)).await
    }

    /// A page of observed blocks from `height` down, highest first.
    pub(crate) async fn downwards(&self, height: i64) -> Result<Vec<BlockName>> {
        self.page(height, BLOCKS_PER_PAGE).await
    }

    /// The highest observed block that is not above `height`.
    pub(crate) async fn at_or_below(&self, height: i64) -> Result<Option<BlockName>> {
        Ok(self.page(height, 1).await?.pop())
    }

    /// True if the reader has observed this block.
    pub(crate) async fn has(&self, block: &BlockName) -> Result<bool> {
        Ok(self.at_or_below(block.number).await?.as_ref() == Some(block))
    }

    /// The lowest block that the reader has observed.
    pub(crate) async fn lowest(&self) -> Result<Option<BlockName>> {
        self.asked(observed_blocks::lowest(&self.pool, self.id, self.reader)).await
    }

    async fn page(&self, height: i64, count: u32) -> Result<Vec<BlockName>> {
        let (pool, id, reader) = (&self.pool, self.id, self.reader);
        self.asked(observed_blocks::downwards(pool, id, reader, height, count)).await
    }

    /// The highest final block, by any reader.
    pub(crate) async fn finalized(&self) -> Result<Option<BlockName>> {
        self.asked(chain_heights::finalized(&self.pool, self.id)).await
    }

    /// Remembers a final block for good, if it is stored.
    pub(crate) async fn finalize(&self, block: &Finalized) -> Result<()> {
        let (named, is_guess) = ((block.number, block.hash.as_deref()), block.is_guess);
        let (pool, id, reader) = (&self.pool, self.id, self.reader);
        self.asked(chain_heights::raise_finalized(pool, id, reader, named, is_guess)).await
    }

    /// Remembers a safe block, if it is stored.
    pub(crate) async fn raise_safe(&self, block: &BlockName) -> Result<()> {
        self.asked(chain_heights::raise_safe(&self.pool, self.id, self.reader, block)).await
    }

    /// Remembers the heads that the chain's nodes showed last.
    pub(crate) async fn see_heads(&self, nodes: &[&str], heads: &[NodeHead]) -> Result<()> {
        self.asked(chain_readers::see_heads(&self.pool, self.id, self.reader, nodes, heads)).await
    }

    /// Notes that the logs of a stretch are compared: they were read as a range.
    pub(crate) async fn raise_compared(
        &self,
        connection: &mut PgConnection,
        stretch: &Stretch,
    ) -> event_store::Result<()> {
        let blocks = stretch.below.number + 1..=stretch.tip.number;
        let start_block = self.start_block(&mut *connection).await?.unwrap_or(*blocks.start());
        chain_readers::raise_compared(connection, self.id, start_block, blocks).await
    }

    /// The first block that is read: as the settings say, or else the lowest covered block; `None`
    /// before any is covered.
    pub(crate) async fn start_block(
        &self,
        executor: impl PgExecutor<'_>,
    ) -> event_store::Result<Option<i64>> {
        if let StartBlock::At(block) = self.start_block {
            return Ok(Some(i64::try_from(block).unwrap_or(i64::MAX)));
        }
        let ranges = covered_ranges::all(executor, self.id).await?;
        Ok(ranges.first().map(|lowest| lowest.first_block))
    }

    /// Begins to audit arrivals above `height`.
    pub(crate) async fn begin_audit(&self, height: i64) -> Result<()> {
        self.asked(audit_cursors::begin(&self.pool, self.id, height)).await
    }

    /// Writes the events of blocks that the transaction has stored, restores those of returning
    /// blocks and remembers the range as covered. Returns how many rows of `events` were written.
    pub(crate) async fn write_events(
        &self,
        connection: &mut PgConnection,
        stretch: &Stretch,
        returning: &Returning,
    ) -> event_store::Result<u64> {
        if self.rights.invalidate {
            let hashes = stretch.hashes();
            let read = stretch.read(self.id, &hashes, &self.claims);
            let forged = forgeries::take_back(connection, &read).await?;
            stretch.tell_forged(&self.name, forged);
        }
        let if_stored = IfStored::by(self.rights);
        let rows = new_events::insert(connection, &stretch.events, if_stored).await?;
        covered_ranges::cover(connection, self.id, &stretch.covers(&self.addresses)).await?;
        if stretch.is_range {
            self.raise_compared(connection, stretch).await?;
        }
        Ok(rows + returning.restore(connection, &self.claims).await?)
    }

    /// Invalidates the events above the fork and moves the tip there, in one transaction. Returns
    /// how many events were invalidated; `None` if the store has changed meanwhile and nothing was
    /// done.
    pub(crate) async fn follow(&self, reorg: &NewBranch) -> Result<Option<u64>> {
        let followed = reorgs::follow(&self.pool, reorg, self.reader, self.rights).await;
        let ReorgOutcome::Followed { events_invalidated } = self.named(followed)? else {
            return Ok(None);
        };
        let (chain, fork_block) = (self.name.as_str(), reorg.fork.number);
        let depth = reorg.tip.number - fork_block;
        tracing::info!(
            chain,
            fork_block,
            depth,
            events_invalidated,
            "The chain was reorganised; the events of replaced blocks are invalidated",
        );
        Ok(Some(events_invalidated))
    }
}
