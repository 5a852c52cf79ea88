//! What a check for gaps reads: the ancestry upwards, what of `events` has been stored at some
//! heights, and the numbers of the agents.

use std::ops::RangeInclusive;

use event_engine::event::ChainId;
use serde::Serialize;
use sqlx::PgPool;

use crate::Result;

/// Gaps between agents that are named together.
const AGENT_GAPS_MAX: i64 = 1_000;

/// A block of the ancestry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// Its height.
    pub number: i64,
    /// Its hash, lower-case 0x hex.
    pub hash: String,
    /// The hash of the block below it.
    pub parent_hash: String,
}

/// A row of `events`, as far as it says which log it is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct StoredLog {
    /// The height of its block.
    pub block_number: i64,
    /// The hash of its block, in lower case.
    pub block_hash: String,
    /// Its place in the block.
    pub log_index: i32,
    /// Whether it was taken back.
    pub invalidated: bool,
}

/// Agents whose registration is missing, between two that are stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AgentGap {
    /// The first missing agent, in decimal.
    pub first_agent: String,
    /// The last one.
    pub last_agent: String,
    /// The block that registered the agent before; null where none is stored.
    pub from_block: Option<i64>,
    /// The block that registered the next one.
    pub to_block: i64,
}

/// The ancestry of a chain from the lowest of these heights upwards, `count` blocks at most.
pub async fn ancestry(
    pool: &PgPool,
    chain_id: ChainId,
    heights: RangeInclusive<i64>,
    count: u32,
) -> Result<Vec<Step>> {
    let steps = sqlx::query_as!(
        Step,
        "SELECT block_number AS number, block_hash AS hash, parent_hash FROM chain_blocks
         WHERE chain_id = $1 AND block_number BETWEEN $2 AND $3 ORDER BY block_number LIMIT $4",
        chain_id.0,
        heights.start(),
        heights.end(),
        i64::from(count),
    )
    .fetch_all(pool)
    .await?;
    Ok(steps)
}

/// What is known of a chain's blocks at these heights, from the lowest up, and of the next above:
/// by whoever owns it, our indexer or, where that is not there, the auditor.
pub async fn anchors(
    pool: &PgPool,
    chain_id: ChainId,
    heights: RangeInclusive<i64>,
    audited: bool,
) -> Result<Vec<Step>> {
    let steps = sqlx::query_as!(
        Step,
        r#"SELECT block_number AS "number!", block_hash AS "hash!", parent_hash AS "parent_hash!"
           FROM (SELECT block_number, block_hash, parent_hash FROM chain_blocks
                 WHERE NOT $4 AND chain_id = $1 AND block_number BETWEEN $2 AND $3
                 UNION ALL
                 (SELECT block_number, block_hash, parent_hash FROM chain_blocks
                  WHERE NOT $4 AND chain_id = $1 AND block_number > $3
                  ORDER BY block_number LIMIT 1)
                 UNION ALL
                 SELECT block_number, block_hash, parent_hash FROM audited_blocks
                 WHERE $4 AND chain_id = $1 AND block_number BETWEEN $2 AND $3
                 UNION ALL
                 (SELECT block_number, block_hash, parent_hash FROM audited_blocks
                  WHERE $4 AND chain_id = $1 AND block_number > $3
                  ORDER BY block_number LIMIT 1)) AS known
           ORDER BY block_number"#,
        chain_id.0,
        heights.start(),
        heights.end(),
        audited,
    )
    .fetch_all(pool)
    .await?;
    Ok(steps)
}

/// What is stored at these heights, whoever wrote it.
pub async fn stored(
    pool: &PgPool,
    chain_id: ChainId,
    heights: RangeInclusive<i64>,
) -> Result<Vec<StoredLog>> {
    let logs = sqlx::query_as!(
        StoredLog,
        r#"SELECT block_number, comparable_hash(block_hash) AS "block_hash!", log_index,
                  invalidated
           FROM events WHERE chain_id = $1 AND block_number BETWEEN $2 AND $3"#,
        chain_id.0,
        heights.start(),
        heights.end(),
    )
    .fetch_all(pool)
    .await?;
    Ok(logs)
}

/// Agents without a registration among those of these heights, whose numbers count up: from the
/// first stored one, or from 0.
pub async fn agents(
    pool: &PgPool,
    chain_id: ChainId,
    heights: RangeInclusive<i64>,
    from_zero: bool,
) -> Result<Vec<AgentGap>> {
    let gaps = sqlx::query_as!(
        AgentGap,
        r#"SELECT (before + 1)::text AS "first_agent!", (agent_id - 1)::text AS "last_agent!",
                  from_block, block_number AS to_block
           FROM (SELECT agent_id, block_number,
                        coalesce(lag(agent_id) OVER agents, CASE WHEN $4 THEN -1 END) AS before,
                        lag(block_number) OVER agents AS from_block
                 FROM events
                 WHERE chain_id = $1 AND block_number BETWEEN $2 AND $3 AND NOT invalidated
                   AND registry = 'identity' AND event_type = 'Registered'
                   AND agent_id IS NOT NULL
                 WINDOW agents AS (ORDER BY agent_id)) AS registered
           WHERE agent_id > before + 1
           ORDER BY agent_id
           LIMIT $5"#,
        chain_id.0,
        heights.start(),
        heights.end(),
        from_zero,
        AGENT_GAPS_MAX,
    )
    .fetch_all(pool)
    .await?;
    Ok(gaps)
}
