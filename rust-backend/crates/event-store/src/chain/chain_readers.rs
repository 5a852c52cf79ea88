//! The readers of a chain: what each may do, and the table `chain_problems`, of chains that one of
//! them cannot read or has stopped reading.

use chrono::{DateTime, Utc};
use event_engine::event::ChainId;
use serde::Serialize;
use sqlx::PgPool;

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

/// The rights of a reader: what it may write of a chain, besides the blocks that it observes.
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

/// What becomes of a chain that cannot be read.
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

/// A row.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct UnreadChain {
    /// The chain.
    pub chain_id: i64,
    /// `indexer` or `auditor`.
    pub reader: String,
    /// `failing` or `stopped`.
    pub state: String,
    /// What the reader said.
    pub problem: String,
    /// Since when.
    pub since: DateTime<Utc>,
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
        "INSERT INTO chain_problems AS p (chain_id, reader, state, problem)
         VALUES ($1, $2, $3, $4)
         ON CONFLICT (chain_id, reader) DO UPDATE SET
             state = EXCLUDED.state,
             problem = EXCLUDED.problem,
             since = CASE WHEN p.state = EXCLUDED.state THEN p.since ELSE now() END",
        chain_id.0,
        reader.as_str(),
        state.as_str(),
        problem,
    )
    .execute(pool)
    .await?;
    Ok(())
}

/// Notes that it can be read, or that nobody tries to.
pub async fn clear(pool: &PgPool, chain_id: ChainId, reader: Reader) -> Result<()> {
    sqlx::query!(
        "DELETE FROM chain_problems WHERE chain_id = $1 AND reader = $2",
        chain_id.0,
        reader.as_str(),
    )
    .execute(pool)
    .await?;
    Ok(())
}

/// All of them.
pub async fn all(pool: &PgPool) -> Result<Vec<UnreadChain>> {
    let unread = sqlx::query_as!(
        UnreadChain,
        "SELECT chain_id, reader, state, problem, since FROM chain_problems
         ORDER BY chain_id, reader",
    )
    .fetch_all(pool)
    .await?;
    Ok(unread)
}
