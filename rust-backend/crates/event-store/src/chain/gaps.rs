//! Reads of a check for gaps: the ancestry upwards, the rows of `events` at some heights, and the
//! numbers of the agents.

use std::ops::RangeInclusive;

use event_engine::event::{ChainId, EventName};
use serde::Serialize;
use serde_json::Value;
use sqlx::PgPool;

use crate::Result;
use crate::chain::chain_readers::Reader;
use crate::events::forgeries::Claims;
use crate::events::new_events::{EventColumns, NewEvent};

/// Gaps between agents that are named together.
const AGENT_GAPS_MAX: i64 = 1_000;

/// A block of the ancestry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AncestryBlock {
    /// Its height.
    pub number: i64,
    /// Its hash, lower-case 0x hex.
    pub hash: String,
    /// The hash of the block below it.
    pub parent_hash: String,
}

/// A row of `events`, as far as it says which log it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredLog {
    /// Its id and block time.
    pub name: EventName,
    /// The height of its block.
    pub block_number: i64,
    /// The hash of its block, in lower case.
    pub block_hash: String,
    /// Its place in the block.
    pub log_index: i32,
    /// True if it is invalidated.
    pub invalidated: bool,
    /// True if it claims to be a log of the chain's registries.
    pub claims: bool,
}

/// A valid row under the name of a log, with other contents.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Differing {
    /// Its id and block time.
    pub name: EventName,
    /// The columns in which it does.
    pub columns: Vec<String>,
}

/// Agents whose registration is missing, between two that are stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AgentGap {
    /// The first missing agent, in decimal.
    pub first_agent: String,
    /// The last one.
    pub last_agent: String,
    /// The block that registered the agent before; null without one.
    pub from_block: Option<i64>,
    /// The block that registered the next one.
    pub to_block: i64,
}

/// The height up to which other programs than our readers have stored a chain: its checkpoint, or
/// without one, its highest event.
pub async fn highest(pool: &PgPool, chain_id: ChainId) -> Result<Option<i64>> {
    let highest = sqlx::query_scalar!(
        "SELECT coalesce((SELECT block_number FROM checkpoints WHERE chain_id = $1),
                         (SELECT max(block_number) FROM events WHERE chain_id = $1))",
        chain_id.0,
    )
    .fetch_one(pool)
    .await?;
    Ok(highest)
}

/// The ancestry of a chain from the lowest of these heights upwards, `count` blocks at most.
pub async fn ancestry(
    pool: &PgPool,
    chain_id: ChainId,
    heights: RangeInclusive<i64>,
    count: u32,
) -> Result<Vec<AncestryBlock>> {
    let steps = sqlx::query_as!(
        AncestryBlock,
        "SELECT block_number AS number, block_hash AS hash, parent_hash FROM observed_blocks
         WHERE chain_id = $1 AND reader = 'indexer' AND block_number BETWEEN $2 AND $3
         ORDER BY block_number LIMIT $4",
        chain_id.0,
        heights.start(),
        heights.end(),
        i64::from(count),
    )
    .fetch_all(pool)
    .await?;
    Ok(steps)
}

/// The reader's blocks at these heights, from the lowest up, and the next above.
pub async fn anchors(
    pool: &PgPool,
    chain_id: ChainId,
    heights: RangeInclusive<i64>,
    reader: Reader,
) -> Result<Vec<AncestryBlock>> {
    let steps = sqlx::query_as!(
        AncestryBlock,
        r#"SELECT block_number AS "number!", block_hash AS "hash!", parent_hash AS "parent_hash!"
           FROM (SELECT block_number, block_hash, parent_hash FROM observed_blocks
                 WHERE chain_id = $1 AND reader = $4 AND block_number BETWEEN $2 AND $3
                 UNION ALL
                 (SELECT block_number, block_hash, parent_hash FROM observed_blocks
                  WHERE chain_id = $1 AND reader = $4 AND block_number > $3
                  ORDER BY block_number LIMIT 1)) AS known
           ORDER BY block_number"#,
        chain_id.0,
        heights.start(),
        heights.end(),
        reader.as_str(),
    )
    .fetch_all(pool)
    .await?;
    Ok(steps)
}

/// The rows at these heights, of every writer.
pub async fn stored(
    pool: &PgPool,
    chain_id: ChainId,
    heights: RangeInclusive<i64>,
    claims: &Claims,
) -> Result<Vec<StoredLog>> {
    let rows = sqlx::query!(
        r#"SELECT id, "timestamp", block_number, comparable_hash(block_hash) AS "block_hash!",
                  log_index, invalidated,
                  (registry = ANY($4) OR coalesce(lower(address) = ANY($5), false))
                  AND coalesce(lower(address) <> ALL (ARRAY(
                      SELECT former FROM covered_ranges r, unnest(r.addresses) AS former
                      WHERE r.chain_id = $1 AND former <> ALL ($5))), true) AS "claims!"
           FROM events WHERE chain_id = $1 AND block_number BETWEEN $2 AND $3
           ORDER BY block_number, log_index, id, "timestamp""#,
        chain_id.0,
        heights.start(),
        heights.end(),
        &claims.registries,
        &claims.addresses,
    )
    .fetch_all(pool)
    .await?;
    let logs = rows.into_iter().map(|row| StoredLog {
        name: EventName { id: row.id, timestamp: row.timestamp },
        block_number: row.block_number,
        block_hash: row.block_hash,
        log_index: row.log_index,
        invalidated: row.invalidated,
        claims: row.claims,
    });
    Ok(logs.collect())
}

/// Valid rows under the names of these logs that say something else of the chain, in any column.
/// The bounds on the block time keep the other chunks of a hypertable out of it.
pub async fn differing(pool: &PgPool, logs: &[NewEvent]) -> Result<Vec<Differing>> {
    let times = logs.iter().map(|log| log.name.timestamp);
    let (Some(earliest), Some(latest)) = (times.clone().min(), times.max()) else {
        return Ok(Vec::new());
    };
    let new = EventColumns::of(logs);
    let rows = sqlx::query!(
        r#"SELECT id AS "id!", "timestamp" AS "timestamp!", columns AS "columns!"
           FROM (
               SELECT new.id, new."timestamp", differing_columns(e::events, ROW(
                   new.id, new.chain_id, new.block_number, new.block_hash, new.transaction_hash,
                   new.log_index, new.event_type, new.registry, new."timestamp", e.created_at,
                   new.agent_id::numeric, new.data, new.address,
                   string_to_array(new.topics, ' '), new.log_data, false, 0)::events) AS columns
               FROM UNNEST(
                   $1::text[], $2::bigint[], $3::bigint[], $4::text[], $5::text[], $6::int[],
                   $7::text[], $8::text[], $9::bigint[], $10::text[], $11::jsonb[], $12::text[],
                   $13::text[], $14::text[]
               ) AS new (
                   id, chain_id, block_number, block_hash, transaction_hash, log_index, event_type,
                   registry, "timestamp", agent_id, data, address, topics, log_data)
               CROSS JOIN LATERAL (
                   SELECT * FROM events
                   WHERE events.id = new.id AND events."timestamp" = new."timestamp"
                     AND events."timestamp" BETWEEN $15 AND $16 AND NOT events.invalidated
                   LIMIT 1
               ) AS e
           ) AS compared
           WHERE columns <> '{}'"#,
        &new.ids as &[&str],
        &new.chain_ids,
        &new.block_numbers,
        &new.block_hashes as &[&str],
        &new.transaction_hashes as &[&str],
        &new.log_indexes,
        &new.event_types as &[&str],
        &new.registries as &[&str],
        &new.timestamps,
        &new.agent_ids as &[Option<&str>],
        &new.data as &[Option<&Value>],
        &new.addresses as &[Option<&str>],
        &new.topics as &[Option<String>],
        &new.log_data as &[Option<&str>],
        earliest,
        latest,
    )
    .fetch_all(pool)
    .await?;
    let rows = rows.into_iter().map(|row| Differing {
        name: EventName { id: row.id, timestamp: row.timestamp },
        columns: row.columns,
    });
    Ok(rows.collect())
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
