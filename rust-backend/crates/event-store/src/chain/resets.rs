//! The reset of a chain that began anew under its id: every event is invalidated, and the blocks
//! that its readers have observed are forgotten.
//!
//! Events come first, some in a transaction, so that others hardly wait: [`invalidate`], from the
//! highest down. The blocks stand until the end, and with them the old chain, so that no reader
//! begins with the new one meanwhile: [`trim_observed`] drops all but the last, and [`finish`] the
//! rest with all that came in between, in one transaction. A reset that is killed is begun again.

use event_engine::event::ChainId;
use serde::Serialize;
use sqlx::{PgConnection, PgPool};

use crate::Result;
use crate::chain::{chain_locks, chain_readers, covered_ranges};
use crate::connection::pool::answered_at_length;

/// Events that are invalidated in one transaction; and all others of the lowest one's block.
const EVENTS_TOGETHER: i64 = 1_000;
/// Blocks that are forgotten in one transaction.
const BLOCKS_TOGETHER: i64 = 20_000;
/// Valid events up to which they are counted.
pub const EVENTS_COUNTED_MAX: i64 = 1_000_000;
/// Jobs up to which they are counted.
pub const JOBS_COUNTED_MAX: i64 = 100_000;

/// The observed blocks of one reader.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ObservedBlocks {
    /// `indexer`, `auditor` or a schema of Ponder's.
    pub reader: String,
    /// Their number.
    pub blocks: i64,
    /// The height of the lowest.
    pub lowest: i64,
    /// The height of the highest.
    pub highest: i64,
}

/// The jobs of a chain's valid events.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct JobsOfEvents {
    /// Pending and never attempted: they will be cancelled.
    pub cancelled: i64,
    /// Attempted: their receivers will be told a retraction.
    pub retracted: i64,
}

/// A schema of Ponder's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PonderSchema {
    /// Its name.
    pub name: String,
    /// True while a process of Ponder's writes to it.
    pub is_running: bool,
}

/// A part of the events that was invalidated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Invalidated {
    /// The number of events.
    pub events: u64,
    /// The height from which down the next part begins; `None` at the end.
    pub below: Option<i64>,
}

/// The end of a reset.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finished {
    /// All is forgotten.
    Done {
        /// Events that were invalidated with the last blocks.
        events: u64,
        /// Blocks that were forgotten.
        blocks: u64,
    },
    /// Nothing was done: many more events have been stored meanwhile.
    MoreEvents,
    /// Nothing was done: a process of Ponder's writes to this schema.
    PonderRuns(String),
}

/// The observed blocks of a chain, by reader.
pub async fn observed(pool: &PgPool, chain_id: ChainId) -> Result<Vec<ObservedBlocks>> {
    let observed = sqlx::query_as!(
        ObservedBlocks,
        r#"SELECT reader, count(*) AS "blocks!", min(block_number) AS "lowest!",
                  max(block_number) AS "highest!"
           FROM observed_blocks WHERE chain_id = $1 GROUP BY reader ORDER BY reader"#,
        chain_id.0,
    )
    .fetch_all(pool)
    .await?;
    Ok(observed)
}

/// The number of valid events of a chain, at most [`EVENTS_COUNTED_MAX`].
pub async fn valid_events(pool: &PgPool, chain_id: ChainId) -> Result<i64> {
    let events = sqlx::query_scalar!(
        r#"SELECT count(*) AS "events!" FROM (
               SELECT FROM events WHERE chain_id = $1 AND NOT invalidated LIMIT $2
           ) AS valid"#,
        chain_id.0,
        EVENTS_COUNTED_MAX,
    )
    .fetch_one(pool)
    .await?;
    Ok(events)
}

/// The jobs of a chain's valid events, at most [`JOBS_COUNTED_MAX`].
pub async fn jobs(pool: &PgPool, chain_id: ChainId) -> Result<JobsOfEvents> {
    let jobs = sqlx::query_as!(
        JobsOfEvents,
        r#"SELECT count(*) FILTER (WHERE attempts = 0) AS "cancelled!",
                  count(*) FILTER (WHERE attempts > 0) AS "retracted!"
           FROM (SELECT j.attempts FROM events e
                 JOIN jobs j ON j.event_id = e.id AND j.event_timestamp = e."timestamp"
                 WHERE e.chain_id = $1 AND NOT e.invalidated AND j.retracts IS NULL
                   AND j.event_revision = e.revision
                   AND (j.attempts > 0 OR j.state IN ('pending', 'held'))
                 LIMIT $2) AS of_valid"#,
        chain_id.0,
        JOBS_COUNTED_MAX,
    )
    .fetch_one(pool)
    .await?;
    Ok(jobs)
}

/// Ponder's schemas of a chain.
pub async fn ponder_schemas(pool: &PgPool, chain_id: ChainId) -> Result<Vec<PonderSchema>> {
    let schemas = sqlx::query_as!(
        PonderSchema,
        r#"SELECT schema_name AS name, EXISTS (
                      SELECT FROM pg_locks l
                      WHERE l.locktype = 'advisory' AND l.objsubid = 1 AND l.granted
                        AND l.database = (SELECT oid FROM pg_database
                                          WHERE datname = current_database())
                        AND (l.classid::bigint << 32 | l.objid::bigint)
                            = hashtextextended('ponder:' || schema_name, 0)
                  ) AS "is_running!"
           FROM ponder_schemas WHERE chain_id = $1 ORDER BY schema_name"#,
        chain_id.0,
    )
    .fetch_all(pool)
    .await?;
    Ok(schemas)
}

/// A role's object of Ponder's that the session's role may not forget.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct MissingRight {
    /// A schema or a table.
    pub object: String,
    /// The role that owns it.
    pub owner: String,
    /// The session's role.
    pub role: String,
}

/// The first of Ponder's objects of the chain that this session may not forget; `None` if it may
/// forget all.
pub async fn missing_right(pool: &PgPool, chain_id: ChainId) -> Result<Option<MissingRight>> {
    let missing = sqlx::query_as!(
        MissingRight,
        r#"SELECT object AS "object!", pg_get_userbyid(owner)::text AS "owner!",
                  current_user::text AS "role!"
           FROM (SELECT format('schema %I', n.nspname) AS object, n.nspowner AS owner
                 FROM ponder_schemas p JOIN pg_namespace n ON n.nspname = p.schema_name
                 WHERE p.chain_id = $1 AND NOT pg_has_role(n.nspowner, 'USAGE')
                 UNION ALL
                 SELECT format('table %I.%I', n.nspname, c.relname), c.relowner
                 FROM ponder_caches() AS cache JOIN pg_class c ON c.oid = cache
                 JOIN pg_namespace n ON n.oid = c.relnamespace
                 WHERE EXISTS (SELECT FROM ponder_schemas WHERE chain_id = $1)
                   AND NOT (has_schema_privilege(n.oid, 'USAGE')
                            AND has_table_privilege(c.oid, 'SELECT')
                            AND has_table_privilege(c.oid, 'DELETE'))) AS missing
           LIMIT 1"#,
        chain_id.0,
    )
    .fetch_optional(pool)
    .await?;
    Ok(missing)
}

/// Forgets some of the answers of nodes that Ponder keeps of a chain. Returns their number.
pub async fn trim_ponder_caches(pool: &PgPool, chain_id: ChainId) -> Result<i64> {
    answered_at_length(async {
        let trimming = sqlx::query_scalar!(
            r#"SELECT ponder_trim_caches($1, $2) AS "rows!""#,
            chain_id.0,
            BLOCKS_TOGETHER,
        );
        Ok(trimming.fetch_one(pool).await?)
    })
    .await
}

/// Invalidates some of the valid events of a chain that are not above `below`, of any writer and
/// any block, as a reorganisation does. Their blocks count as unread from then on. The auditor's
/// events are remembered, so that they come back with their block.
pub async fn invalidate(
    pool: &PgPool,
    chain_id: ChainId,
    below: i64,
    is_remembered: bool,
) -> Result<Invalidated> {
    answered_at_length(async {
        let mut transaction = pool.begin().await?;
        chain_locks::hold(&mut transaction, chain_id).await?;
        let lowest = sqlx::query_scalar!(
            "SELECT block_number FROM events
             WHERE chain_id = $1 AND block_number <= $2 AND NOT invalidated
             ORDER BY block_number DESC OFFSET $3 LIMIT 1",
            chain_id.0,
            below,
            EVENTS_TOGETHER - 1,
        )
        .fetch_optional(&mut *transaction)
        .await?;
        let heights = (lowest.unwrap_or(i64::MIN), below);
        let events = invalidate_all(&mut transaction, chain_id, heights, is_remembered).await?;
        covered_ranges::forget(&mut transaction, chain_id).await?;
        transaction.commit().await?;
        Ok(Invalidated { events, below: lowest.and_then(|lowest| lowest.checked_sub(1)) })
    })
    .await
}

/// Forgets some of the blocks that a reader has observed, the lowest first. Returns their number: 0
/// where only the last ones are left.
pub async fn trim_observed(pool: &PgPool, chain_id: ChainId, reader: &str) -> Result<u64> {
    answered_at_length(async {
        let mut transaction = pool.begin().await?;
        chain_locks::hold(&mut transaction, chain_id).await?;
        let done = sqlx::query!(
            "DELETE FROM observed_blocks
             WHERE chain_id = $1 AND reader = $2 AND block_number IN (
                 SELECT block_number FROM observed_blocks
                 WHERE chain_id = $1 AND reader = $2 AND block_number < (
                     SELECT block_number FROM observed_blocks
                     WHERE chain_id = $1 AND reader = $2
                     ORDER BY block_number DESC OFFSET $3 LIMIT 1)
                 ORDER BY block_number LIMIT $3)",
            chain_id.0,
            reader,
            BLOCKS_TOGETHER,
        )
        .execute(&mut *transaction)
        .await?;
        transaction.commit().await?;
        Ok(done.rows_affected())
    })
    .await
}

/// Forgets some of the orphaned blocks of a chain. Returns their number.
pub async fn trim_orphaned(pool: &PgPool, chain_id: ChainId) -> Result<u64> {
    answered_at_length(async {
        let mut transaction = pool.begin().await?;
        chain_locks::hold(&mut transaction, chain_id).await?;
        let done = sqlx::query!(
            "DELETE FROM orphaned_blocks
             WHERE chain_id = $1 AND block_hash IN (
                 SELECT block_hash FROM orphaned_blocks WHERE chain_id = $1 LIMIT $2)",
            chain_id.0,
            BLOCKS_TOGETHER,
        )
        .execute(&mut *transaction)
        .await?;
        transaction.commit().await?;
        Ok(done.rows_affected())
    })
    .await
}

/// Forgets the rest of a chain: its readers begin anew.
pub async fn finish(pool: &PgPool, chain_id: ChainId, is_remembered: bool) -> Result<Finished> {
    answered_at_length(async {
        let mut transaction = pool.begin().await?;
        chain_locks::hold(&mut transaction, chain_id).await?;
        let blocks = forget_blocks(&mut transaction, chain_id).await?;
        if many_are_valid(&mut transaction, chain_id).await? {
            return Ok(Finished::MoreEvents);
        }
        let heights = (i64::MIN, i64::MAX);
        let events = invalidate_all(&mut transaction, chain_id, heights, is_remembered).await?;
        let running = sqlx::query_scalar!("SELECT ponder_reset($1)", chain_id.0)
            .fetch_one(&mut *transaction)
            .await?;
        if let Some(schema) = running {
            return Ok(Finished::PonderRuns(schema));
        }
        covered_ranges::forget(&mut transaction, chain_id).await?;
        chain_readers::forget(&mut transaction, chain_id).await?;
        forget_heights(&mut transaction, chain_id).await?;
        chain_locks::count_reset(&mut transaction, chain_id).await?;
        transaction.commit().await?;
        Ok(Finished::Done { events, blocks })
    })
    .await
}

/// Forgets every block. A reader that stores blocks holds the highest one until its transaction
/// ends, so that each look sees the blocks that the one before has waited for; then no other can
/// follow.
async fn forget_blocks(connection: &mut PgConnection, chain_id: ChainId) -> Result<u64> {
    let mut blocks = 0;
    loop {
        let observed = sqlx::query!("DELETE FROM observed_blocks WHERE chain_id = $1", chain_id.0)
            .execute(&mut *connection)
            .await?;
        if observed.rows_affected() == 0 {
            break;
        }
        blocks += observed.rows_affected();
    }
    sqlx::query!("DELETE FROM orphaned_blocks WHERE chain_id = $1", chain_id.0)
        .execute(connection)
        .await?;
    Ok(blocks)
}

/// Forgets checkpoint and heights, and the auditor's suspects of the old chain. Each is an entry
/// of the log: no trigger takes an event of the new chain for one below the old head.
async fn forget_heights(connection: &mut PgConnection, chain_id: ChainId) -> Result<()> {
    sqlx::query!(
        "UPDATE checkpoints SET block_number = -1, block_hash = '' WHERE chain_id = $1",
        chain_id.0,
    )
    .execute(&mut *connection)
    .await?;
    sqlx::query!("DELETE FROM checkpoints WHERE chain_id = $1", chain_id.0)
        .execute(&mut *connection)
        .await?;
    sqlx::query!("DELETE FROM chain_heights WHERE chain_id = $1", chain_id.0)
        .execute(&mut *connection)
        .await?;
    sqlx::query!("DELETE FROM node_heads WHERE chain_id = $1", chain_id.0)
        .execute(&mut *connection)
        .await?;
    sqlx::query!("DELETE FROM audit_suspects WHERE chain_id = $1", chain_id.0)
        .execute(connection)
        .await?;
    Ok(())
}

/// True if more than one transaction's share of events is valid.
async fn many_are_valid(connection: &mut PgConnection, chain_id: ChainId) -> Result<bool> {
    let many = sqlx::query_scalar!(
        r#"SELECT EXISTS (
               SELECT FROM events WHERE chain_id = $1 AND NOT invalidated OFFSET $2
           ) AS "many!""#,
        chain_id.0,
        EVENTS_TOGETHER,
    )
    .fetch_one(connection)
    .await?;
    Ok(many)
}

async fn invalidate_all(
    connection: &mut PgConnection,
    chain_id: ChainId,
    (lowest, highest): (i64, i64),
    is_remembered: bool,
) -> Result<u64> {
    let events = sqlx::query_scalar!(
        r#"SELECT invalidate_blocks($1, $2, $3, NULL, $4) AS "events!""#,
        chain_id.0,
        lowest,
        highest,
        is_remembered,
    )
    .fetch_one(connection)
    .await?;
    Ok(events.unsigned_abs())
}
