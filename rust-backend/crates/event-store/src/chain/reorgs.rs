//! A reorganisation in the store, as `follow_reorg()` follows it: `observed_blocks` cut off above
//! the fork, `orphaned_blocks`, and the events that were invalidated with their blocks.

use event_engine::event::ChainId;
use sqlx::{PgConnection, PgPool};

use crate::chain::chain_readers::{Reader, Rights};
use crate::chain::observed_blocks::{BlockName, ObservedBlock};
use crate::chain::{chain_locks, orphaned_blocks};
use crate::connection::pool::answered_at_length;
use crate::events::forgeries::Claims;
use crate::{Result, StoreError};

/// A branch that takes the place of the stored one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewBranch {
    /// The chain.
    pub chain_id: ChainId,
    /// The highest stored block when the branches were compared.
    pub tip: BlockName,
    /// The last block that both branches have. It may lie below the first stored one.
    pub fork: BlockName,
    /// The fork's time, unix seconds, where it lies below the first stored block.
    pub fork_time: Option<i64>,
    /// Hashes of the new branch from the block above the fork upwards, as far as they are known.
    pub branch: Vec<String>,
}

/// The outcome of following a reorganisation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReorgOutcome {
    /// The stored chain ends with the fork.
    Followed {
        /// Events that were valid and are not any more.
        events_invalidated: u64,
    },
    /// Nothing was changed: the tip is another by now. Compare the branches again.
    TipMoved,
    /// Nothing was changed: a block above the fork has been finalized meanwhile. Compare again.
    BelowFinalized,
}

/// Takes out every block of the reader's above the fork, in one transaction: all of it or nothing.
///
/// Of the events above the fork those are invalidated that carry the hash of such a block. Nothing
/// proves that others are replaced. A reader without the right to leaves events and checkpoint to
/// the chain's writer.
pub async fn follow(
    pool: &PgPool,
    reorg: &NewBranch,
    reader: Reader,
    rights: Rights,
) -> Result<ReorgOutcome> {
    // As long as a deep one takes.
    let row = answered_at_length(async {
        let mut transaction = pool.begin().await?;
        let row = sqlx::query!(
            r#"SELECT outcome AS "outcome!", events_invalidated AS "events_invalidated!"
               FROM follow_reorg($1, $2, $3, $4, $5, $6, $7, $8, true, $9, $10, $11)"#,
            reorg.chain_id.0,
            reader.as_str(),
            reorg.tip.number,
            reorg.tip.hash,
            reorg.fork.number,
            reorg.fork.hash,
            reorg.fork_time,
            &reorg.branch,
            rights.set_checkpoint,
            rights.invalidate,
            rights.finalize,
        )
        .fetch_one(&mut *transaction)
        .await?;
        // Not by the statement itself: of a caller that is gone nothing is committed.
        transaction.commit().await?;
        Ok(row)
    })
    .await?;
    match row.outcome.as_str() {
        "followed" => {
            Ok(ReorgOutcome::Followed { events_invalidated: row.events_invalidated.unsigned_abs() })
        }
        "tip_moved" => Ok(ReorgOutcome::TipMoved),
        "below_finalized" => Ok(ReorgOutcome::BelowFinalized),
        other => Err(StoreError::BrokenRow {
            table: "follow_reorg()",
            column: "outcome",
            id: reorg.chain_id.to_string(),
            problem: format!("{other} is none"),
        }),
    }
}

/// Blocks that are about to be stored and may have been orphaned before.
#[derive(Debug)]
pub struct Returning {
    chain_id: ChainId,
    blocks: Vec<BlockName>,
}

impl Returning {
    /// The blocks among these that may be back. Begins the transaction that stores them: where
    /// there are any, the auditor, which may be about to invalidate a late row of one, has either
    /// done so, or waits until it sees the blocks.
    pub async fn of(
        connection: &mut PgConnection,
        chain_id: ChainId,
        blocks: &[ObservedBlock],
        highest_orphan: Option<i64>,
    ) -> Result<Self> {
        let may_be_back = blocks.iter().filter(|block| Some(block.block_number) <= highest_orphan);
        let blocks: Vec<_> = may_be_back.map(ObservedBlock::name).collect();
        if !blocks.is_empty() {
            chain_locks::hold(connection, chain_id).await?;
        }
        Ok(Self { chain_id, blocks })
    }

    /// Makes the events of the returned blocks valid again, of every writer. Their logs become so
    /// when they are stored: other rows that claim to be logs of theirs are forged, and stay as
    /// they are. Returns the number of events.
    pub async fn restore(&self, connection: &mut PgConnection, claims: &Claims) -> Result<u64> {
        let mut events = 0;
        for block in &self.blocks {
            if orphaned_blocks::has(&mut *connection, self.chain_id, block).await? {
                events += self.restore_block(connection, block, claims).await?;
            }
        }
        Ok(events)
    }

    // A statement of its own: TimescaleDB does not plan an UPDATE that asks by the way whether the
    // block was orphaned.
    async fn restore_block(
        &self,
        connection: &mut PgConnection,
        block: &BlockName,
        claims: &Claims,
    ) -> Result<u64> {
        let done = sqlx::query!(
            r#"UPDATE events SET invalidated = false
               WHERE chain_id = $1 AND block_number = $2 AND comparable_hash(block_hash) = $3
                 AND invalidated
                 -- What `forgeries::take_back` would take, of any block time.
                 AND (registry <> ALL ($4) AND coalesce(lower(address) <> ALL ($5), true)
                     OR lower(address) = ANY (ARRAY(
                         SELECT former FROM covered_ranges r, unnest(r.addresses) AS former
                         WHERE r.chain_id = $1 AND former <> ALL ($5))))"#,
            self.chain_id.0,
            block.number,
            block.hash,
            &claims.registries,
            &claims.addresses,
        )
        .execute(connection)
        .await?;
        Ok(done.rows_affected())
    }
}
