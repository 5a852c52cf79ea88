//! The stored part of a chain: where it ends, and putting the next block on top of it.

use event_engine::event::ChainId;
use event_store::chain_blocks::{self, ChainBlock};
use event_store::{PgPool, StoreError, answered, checkpoints, new_events};

use crate::block::Block;
use crate::{ChainSettings, IndexerError, Result};

/// A chain's blocks in the store, of which the highest is remembered.
pub(crate) struct Ancestry {
    pool: PgPool,
    chain: String,
    id: ChainId,
    start_block: u64,
    tip: Tip,
}

/// The highest stored block.
enum Tip {
    /// To be read: at the start, and after a failure, when a commit may or may not have happened.
    Unread,
    /// Nothing of the chain is stored.
    Nothing,
    /// The block that the next one has to follow.
    Block(ChainBlock),
}

impl Ancestry {
    pub(crate) fn new(pool: PgPool, settings: &ChainSettings) -> Self {
        Self {
            pool,
            chain: settings.name.clone(),
            id: settings.id,
            start_block: settings.start_block,
            tip: Tip::Unread,
        }
    }

    /// The height of the next block to store.
    pub(crate) async fn next_number(&mut self) -> Result<u64> {
        if let Tip::Unread = self.tip {
            let latest = answered(chain_blocks::latest(&self.pool, self.id)).await;
            let latest = latest.map_err(|source| self.store_error(source))?;
            self.say_where(latest.as_ref());
            self.tip = latest.map_or(Tip::Nothing, Tip::Block);
        }
        match &self.tip {
            Tip::Unread | Tip::Nothing => Ok(self.start_block),
            Tip::Block(tip) => u64::try_from(tip.block_number)
                .map(|number| number + 1)
                .map_err(|_| self.store_error(negative_number(tip))),
        }
    }

    /// Stores the block, its events and the checkpoint in one transaction, if the block follows the
    /// one before. Returns how many rows of `events` were written.
    pub(crate) async fn append(&mut self, block: &Block) -> Result<u64> {
        self.check_parent(block)?;
        match answered(self.commit(block)).await {
            Ok(rows) => {
                self.tip = Tip::Block(block.row.clone());
                Ok(rows)
            }
            Err(source) => {
                self.tip = Tip::Unread;
                Err(self.store_error(source))
            }
        }
    }

    fn check_parent(&self, block: &Block) -> Result<()> {
        match &self.tip {
            Tip::Block(tip) if tip.block_hash != block.row.parent_hash => Err(IndexerError::Fork {
                chain: self.chain.clone(),
                number: block.row.block_number,
                expected: tip.block_hash.clone(),
                found: block.row.parent_hash.clone(),
            }),
            _ => Ok(()),
        }
    }

    async fn commit(&self, block: &Block) -> event_store::Result<u64> {
        let row = &block.row;
        let mut transaction = self.pool.begin().await?;
        // First, because a second indexer of the same chain waits and fails here.
        chain_blocks::insert(&mut transaction, row).await?;
        let rows = new_events::insert(&mut transaction, &block.events).await?;
        checkpoints::set(&mut transaction, row.chain_id, row.block_number, &row.block_hash).await?;
        transaction.commit().await?;
        Ok(rows)
    }

    fn say_where(&self, latest: Option<&ChainBlock>) {
        let (chain, start_block) = (self.chain.as_str(), self.start_block);
        if let Some(tip) = latest {
            let block = tip.block_number;
            tracing::info!(chain, block, "Indexing goes on above the highest stored block");
        } else {
            tracing::info!(chain, start_block, "Indexing begins at the start block");
        }
    }

    fn store_error(&self, source: StoreError) -> IndexerError {
        IndexerError::Store { chain: self.chain.clone(), source }
    }
}

fn negative_number(tip: &ChainBlock) -> StoreError {
    StoreError::BrokenRow {
        table: "chain_blocks",
        column: "block_number",
        id: format!("{} {}", tip.chain_id, tip.block_number),
        problem: "it is negative".to_owned(),
    }
}
