//! The table `audit_suspects`: blocks that events name and the chain is not known to have.

use std::ops::RangeInclusive;

use event_engine::event::ChainId;
use serde::Serialize;
use sqlx::{PgConnection, PgExecutor, PgPool};

use crate::Result;
use crate::chain::chain_readers::Reader;
use crate::chain::observed_blocks::{self, BlockColumns, BlockName, ObservedBlock};
use crate::chain::{audit_invalidations, chain_locks, orphaned_blocks};
use crate::connection::pool::answered_at_length;

/// The proof that a suspect was replaced.
#[derive(Clone, Debug)]
pub enum Proof {
    /// It stands in `orphaned_blocks`: a reader saw it on the chain, and saw it go.
    Remembered,
    /// A node has its header, aside from the chain. The branch down to the fork, which is below the
    /// last of these, and the chain's block in the first one's place.
    Aside {
        /// The suspect, and the blocks below it that are not on the chain either.
        branch: Vec<ObservedBlock>,
        /// The chain's hash at the suspect's height.
        replaced_by: String,
    },
}

/// The end of a suspicion.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Settled {
    /// The number of its events that were invalidated.
    TakenBack(u64),
    /// It is on the chain by now; nothing was done.
    OnTheChain,
}

/// A chain's suspects, for an operator.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Unproved {
    /// The chain.
    pub chain_id: i64,
    /// The number of blocks that no node knows, at heights where the chain has others.
    pub unknown: i64,
    /// The number of blocks that have been above the chain's end for more than ten minutes.
    pub above: i64,
    /// The lowest of them, as height and hash.
    pub first: String,
}

/// Adds blocks, or has them looked at again.
pub(crate) async fn add(
    connection: &mut PgConnection,
    chain_id: ChainId,
    blocks: &[BlockName],
) -> Result<()> {
    let numbers: Vec<i64> = blocks.iter().map(|block| block.number).collect();
    let hashes: Vec<&str> = blocks.iter().map(|block| block.hash.as_str()).collect();
    sqlx::query!(
        "INSERT INTO audit_suspects (chain_id, block_number, block_hash)
         SELECT $1, number, hash FROM unnest($2::bigint[], $3::text[]) AS named (number, hash)
         ON CONFLICT (chain_id, block_number, block_hash) DO UPDATE SET next_look_at = now()",
        chain_id.0,
        &numbers,
        &hashes as &[&str],
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// The suspects of a chain that are due, the longest due first, `count` at most.
pub async fn due(pool: &PgPool, chain_id: ChainId, count: u32) -> Result<Vec<BlockName>> {
    let blocks = sqlx::query_as!(
        BlockName,
        "SELECT block_number AS number, block_hash AS hash FROM audit_suspects
         WHERE chain_id = $1 AND next_look_at <= now()
         ORDER BY next_look_at LIMIT $2",
        chain_id.0,
        i64::from(count),
    )
    .fetch_all(pool)
    .await?;
    Ok(blocks)
}

/// Has suspects looked at: the chain has these heights by now.
pub async fn wake(
    connection: impl PgExecutor<'_>,
    chain_id: ChainId,
    heights: RangeInclusive<i64>,
) -> Result<()> {
    sqlx::query!(
        "UPDATE audit_suspects SET looks = 0, next_look_at = now()
         WHERE chain_id = $1 AND block_number BETWEEN $2 AND $3 AND state = 'new'",
        chain_id.0,
        heights.start(),
        heights.end(),
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Invalidates the events of a suspect that is proved replaced, in one transaction.
pub async fn take_back(
    pool: &PgPool,
    chain_id: ChainId,
    reader: Reader,
    suspect: &BlockName,
    proof: &Proof,
) -> Result<Settled> {
    answered_at_length(async {
        let mut transaction = pool.begin().await?;
        // A transaction that puts the block back on the chain has done so and is seen here, or
        // comes later and sees the invalidated events.
        chain_locks::hold(&mut transaction, chain_id).await?;
        let known =
            observed_blocks::hash_at(&mut *transaction, chain_id, reader, suspect.number).await?;
        if known.as_ref() == Some(&suspect.hash) {
            acquit(&mut *transaction, chain_id, suspect).await?;
            transaction.commit().await?;
            return Ok(Settled::OnTheChain);
        }
        if let Proof::Aside { branch, replaced_by } = proof {
            orphaned_blocks::record_aside(&mut transaction, branch, replaced_by).await?;
        }
        let events = audit_invalidations::invalidate(&mut transaction, chain_id, suspect).await?;
        acquit(&mut *transaction, chain_id, suspect).await?;
        transaction.commit().await?;
        Ok(Settled::TakenBack(events))
    })
    .await
}

/// Nothing is proved: it is looked at again later, the later the more often it was. True the first
/// time that it is known to be `unknown`.
pub async fn put_off(
    pool: &PgPool,
    chain_id: ChainId,
    suspect: &BlockName,
    unknown: bool,
) -> Result<bool> {
    let was_new = sqlx::query_scalar!(
        r#"WITH before AS (
               SELECT state FROM audit_suspects
               WHERE chain_id = $1 AND block_number = $2 AND block_hash = $3 FOR UPDATE
           )
           UPDATE audit_suspects s SET
               state = CASE WHEN $4 THEN 'unknown' ELSE s.state END,
               looks = s.looks + 1,
               next_look_at = now() + least(interval '1 second' * power(2, least(s.looks, 12)),
                                            interval '1 hour')
           FROM before
           WHERE s.chain_id = $1 AND s.block_number = $2 AND s.block_hash = $3
           RETURNING before.state = 'new' AS "was_new!""#,
        chain_id.0,
        suspect.number,
        suspect.hash,
        unknown,
    )
    .fetch_optional(pool)
    .await?;
    Ok(unknown && was_new.unwrap_or(false))
}

/// True if a suspect at or below `height` is due and has not been looked at yet.
pub async fn any_new(pool: &PgPool, chain_id: ChainId, height: i64) -> Result<bool> {
    let any = sqlx::query_scalar!(
        r#"SELECT EXISTS (
               SELECT FROM audit_suspects
               WHERE chain_id = $1 AND next_look_at <= now() AND block_number <= $2 AND looks = 0
           ) AS "any!""#,
        chain_id.0,
        height,
    )
    .fetch_one(pool)
    .await?;
    Ok(any)
}

/// The chains with blocks of which nothing is proved.
pub async fn unproved(pool: &PgPool) -> Result<Vec<Unproved>> {
    let chains = sqlx::query_as!(
        Unproved,
        r#"SELECT chain_id, count(*) FILTER (WHERE state = 'unknown') AS "unknown!",
                  count(*) FILTER (WHERE state = 'new') AS "above!",
                  (array_agg(format('block %s, %s', block_number, block_hash)
                             ORDER BY block_number, block_hash))[1] AS "first!"
           FROM audit_suspects
           WHERE state = 'unknown' OR seen_at < now() - interval '10 minutes'
           GROUP BY chain_id ORDER BY chain_id"#,
    )
    .fetch_all(pool)
    .await?;
    Ok(chains)
}

/// Blocks that came to the chain are suspects no more.
pub(crate) async fn clear(connection: &mut PgConnection, blocks: &[ObservedBlock]) -> Result<()> {
    let columns = BlockColumns::of(blocks);
    sqlx::query!(
        "DELETE FROM audit_suspects s
         USING unnest($1::bigint[], $2::bigint[], $3::text[]) AS came (chain, number, hash)
         WHERE s.chain_id = came.chain AND s.block_number = came.number
           AND s.block_hash = came.hash",
        &columns.chain_ids,
        &columns.numbers,
        &columns.hashes as &[&str],
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// It is a suspect no more.
pub async fn acquit(
    connection: impl PgExecutor<'_>,
    chain_id: ChainId,
    suspect: &BlockName,
) -> Result<()> {
    sqlx::query!(
        "DELETE FROM audit_suspects
         WHERE chain_id = $1 AND block_number = $2 AND block_hash = $3",
        chain_id.0,
        suspect.number,
        suspect.hash,
    )
    .execute(connection)
    .await?;
    Ok(())
}
