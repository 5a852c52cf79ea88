//! The table `chain_readers`: the time at which each reader began with a chain, and the problem
//! that keeps it from reading; `node_heads`, the heads that it saw; and the rights of a reader.

use std::ops::RangeInclusive;

use chrono::{DateTime, Utc};
use event_engine::event::ChainId;
use serde::Serialize;
use sqlx::{PgConnection, PgExecutor, PgPool};

use crate::Result;

/// A reader of a chain in our own processes. Ponder's schemas are readers too, in SQL alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reader {
    /// Our indexer.
    Indexer,
    /// The auditor.
    Auditor,
}

impl Reader {
    /// As it is stored.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Indexer => "indexer",
            Self::Auditor => "auditor",
        }
    }
}

/// The rights of a reader to write of a chain, besides the blocks that it observes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a column of docs/architecture/writers.md"
)]
pub struct Rights {
    /// Insert events.
    pub insert: bool,
    /// Set the checkpoint.
    pub set_checkpoint: bool,
    /// Invalidate events and give them back, and take over rows that say otherwise.
    pub invalidate: bool,
    /// Say which blocks are safe and finalized.
    pub finalize: bool,
}

/// The consequence for a chain that cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChainProblem {
    /// It is tried again.
    Failing,
    /// It is not: an operator has to act.
    Stopped,
}

impl ChainProblem {
    /// As it is stored.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Failing => "failing",
            Self::Stopped => "stopped",
        }
    }
}

/// A chain that is not read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct UnreadChain {
    /// The chain.
    pub chain_id: i64,
    /// `indexer` or `auditor`.
    pub reader: String,
    /// `failing` or `stopped`.
    pub state: String,
    /// The reader's message.
    pub problem: String,
    /// Since when.
    pub since: DateTime<Utc>,
}

/// A node's head as it was seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeHead {
    /// The node: its key in the settings, and its URL without secrets.
    pub node: String,
    /// The block's height.
    pub block_number: i64,
    /// Its hash, lower-case 0x hex.
    pub block_hash: String,
    /// Its time, unix seconds.
    pub block_time: i64,
}

/// Notes that our indexer has begun with the chain: it alone stores blocks above the highest stored
/// one. Belongs into a transaction that holds the chain's lock.
pub async fn begin(connection: &mut PgConnection, chain_id: ChainId) -> Result<()> {
    sqlx::query!(
        "INSERT INTO chain_readers AS r (chain_id, reader, began_at) VALUES ($1, 'indexer', now())
         ON CONFLICT (chain_id, reader) DO UPDATE SET began_at = EXCLUDED.began_at
         WHERE r.began_at IS NULL",
        chain_id.0,
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// True if our indexer has begun with the chain.
pub async fn has_begun(executor: impl PgExecutor<'_>, chain_id: ChainId) -> Result<bool> {
    let has_begun = sqlx::query_scalar!(
        r#"SELECT EXISTS (
               SELECT FROM chain_readers
               WHERE chain_id = $1 AND reader = 'indexer' AND began_at IS NOT NULL
           ) AS "has_begun!""#,
        chain_id.0,
    )
    .fetch_one(executor)
    .await?;
    Ok(has_begun)
}

/// Forgets that it has, where no block of the chain is stored: that was in an earlier life, or the
/// chain is reset. Belongs into the transaction that stores the first, or resets it.
pub async fn forget(connection: &mut PgConnection, chain_id: ChainId) -> Result<()> {
    sqlx::query!(
        "UPDATE chain_readers SET (began_at, logs_compared_to, wrong_filter_at) = (NULL, NULL, NULL)
         WHERE chain_id = $1 AND reader = 'indexer'",
        chain_id.0,
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// The progress of our indexer in comparing a chain's logs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LogComparison {
    /// The height up to which all logs are compared; `None`: nothing is.
    pub compared_to: Option<i64>,
    /// A block whose bloom filter was wrong.
    pub wrong_filter_at: Option<i64>,
}

/// The progress of our indexer in comparing the chain's logs.
pub async fn log_comparison(pool: &PgPool, chain_id: ChainId) -> Result<LogComparison> {
    let found = sqlx::query_as!(
        LogComparison,
        "SELECT logs_compared_to AS compared_to, wrong_filter_at FROM chain_readers
         WHERE chain_id = $1 AND reader = 'indexer'",
        chain_id.0,
    )
    .fetch_optional(pool)
    .await?;
    Ok(found.unwrap_or_default())
}

/// Notes that the logs of the blocks from `first` to `last` are compared, if those below are, from
/// the start block on.
pub async fn raise_compared(
    connection: &mut PgConnection,
    chain_id: ChainId,
    start_block: i64,
    blocks: RangeInclusive<i64>,
) -> Result<()> {
    sqlx::query!(
        "INSERT INTO chain_readers AS r (chain_id, reader, logs_compared_to)
         VALUES ($1, 'indexer', CASE WHEN $3::bigint <= $2::bigint THEN $4::bigint END)
         ON CONFLICT (chain_id, reader) DO UPDATE SET logs_compared_to = $4
         WHERE coalesce(r.logs_compared_to, $2 - 1) >= $3 - 1
           AND coalesce(r.logs_compared_to, $2 - 1) < $4",
        chain_id.0,
        start_block,
        blocks.start(),
        blocks.end(),
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Notes that the blocks above `fork` will be others, before a reorganisation is followed.
pub async fn lower_compared(pool: &PgPool, chain_id: ChainId, fork: i64) -> Result<()> {
    sqlx::query!(
        "UPDATE chain_readers SET logs_compared_to = $2
         WHERE chain_id = $1 AND reader = 'indexer' AND logs_compared_to > $2",
        chain_id.0,
        fork,
    )
    .execute(pool)
    .await?;
    Ok(())
}

/// Notes a block whose bloom filter was wrong.
pub async fn note_wrong_filter(pool: &PgPool, chain_id: ChainId, block: i64) -> Result<()> {
    sqlx::query!(
        "UPDATE chain_readers SET wrong_filter_at = $2
         WHERE chain_id = $1 AND reader = 'indexer' AND wrong_filter_at IS NULL",
        chain_id.0,
        block,
    )
    .execute(pool)
    .await?;
    Ok(())
}

/// Notes the heads of a chain's nodes, as far as they have moved. Heads of nodes that are not among
/// `configured` any more go.
pub async fn see_heads(
    pool: &PgPool,
    chain_id: ChainId,
    reader: Reader,
    configured: &[&str],
    heads: &[NodeHead],
) -> Result<()> {
    let nodes: Vec<&str> = heads.iter().map(|head| head.node.as_str()).collect();
    let numbers: Vec<i64> = heads.iter().map(|head| head.block_number).collect();
    let hashes: Vec<&str> = heads.iter().map(|head| head.block_hash.as_str()).collect();
    let times: Vec<i64> = heads.iter().map(|head| head.block_time).collect();
    sqlx::query!(
        "WITH removed AS (
             DELETE FROM node_heads WHERE chain_id = $1 AND reader = $2 AND node <> ALL ($7)
         )
         INSERT INTO node_heads AS h (
             chain_id, reader, node, block_number, block_hash, block_time)
         SELECT $1, $2, node, number, hash, time
         FROM unnest($3::text[], $4::bigint[], $5::text[], $6::bigint[])
              AS seen (node, number, hash, time)
         ON CONFLICT (chain_id, reader, node) DO UPDATE SET
             block_number = EXCLUDED.block_number,
             block_hash = EXCLUDED.block_hash,
             block_time = EXCLUDED.block_time,
             seen_at = EXCLUDED.seen_at
         WHERE h.block_hash <> EXCLUDED.block_hash",
        chain_id.0,
        reader.as_str(),
        &nodes as &[&str],
        &numbers,
        &hashes as &[&str],
        &times,
        configured as &[&str],
    )
    .execute(pool)
    .await?;
    Ok(())
}

/// Notes that the chain cannot be read. A problem that is there already keeps its time.
pub async fn note(
    pool: &PgPool,
    chain_id: ChainId,
    reader: Reader,
    state: ChainProblem,
    problem: &str,
) -> Result<()> {
    sqlx::query!(
        "INSERT INTO chain_readers AS r (chain_id, reader, state, problem, since)
         VALUES ($1, $2, $3, $4, now())
         ON CONFLICT (chain_id, reader) DO UPDATE SET
             state = EXCLUDED.state,
             problem = EXCLUDED.problem,
             since = CASE WHEN r.state = EXCLUDED.state THEN r.since ELSE now() END",
        chain_id.0,
        reader.as_str(),
        state.as_str(),
        problem,
    )
    .execute(pool)
    .await?;
    Ok(())
}

/// Notes that the chain can be read, or that the reader stopped trying.
pub async fn clear(pool: &PgPool, chain_id: ChainId, reader: Reader) -> Result<()> {
    sqlx::query!(
        "UPDATE chain_readers SET state = 'reading', problem = NULL, since = NULL
         WHERE chain_id = $1 AND reader = $2 AND state <> 'reading'",
        chain_id.0,
        reader.as_str(),
    )
    .execute(pool)
    .await?;
    Ok(())
}

/// The chains that a reader cannot read, or has stopped reading.
pub async fn unread(pool: &PgPool) -> Result<Vec<UnreadChain>> {
    let unread = sqlx::query_as!(
        UnreadChain,
        r#"SELECT chain_id, reader, state, problem AS "problem!", since AS "since!"
           FROM chain_readers WHERE state <> 'reading' ORDER BY chain_id, reader"#,
    )
    .fetch_all(pool)
    .await?;
    Ok(unread)
}
