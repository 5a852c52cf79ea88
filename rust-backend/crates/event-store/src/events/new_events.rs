//! Writing the table `events`, as our own indexer does.

use event_engine::event::{ChainId, EventName};
use serde_json::Value;
use sqlx::PgConnection;

use crate::Result;
use crate::chain::chain_readers::Rights;

/// Rows a statement, so that no statement grows with the size of a block.
const ROWS_PER_STATEMENT_MAX: usize = 1_000;

/// A row to be stored. Columns that it does not name have their defaults: valid, revision 0,
/// created now.
#[derive(Clone, Debug, PartialEq)]
pub struct NewEvent {
    /// Id and block time. Our writers' id is `{chain_id}-{block_hash}-{log_index}`.
    pub name: EventName,
    /// The chain, and the shard that judges it.
    pub chain_id: ChainId,
    /// Height of the block that emitted it.
    pub block_number: i64,
    /// Hash of that block, lower-case 0x hex.
    pub block_hash: String,
    /// Hash of its transaction, lower-case 0x hex.
    pub transaction_hash: String,
    /// Its place in the block.
    pub log_index: i32,
    /// The event's name on chain, or `unknown`.
    pub event_type: String,
    /// `identity`, `reputation` or `validation`; at most 64 bytes.
    pub registry: String,
    /// The agent it is about: a uint256 in decimal digits.
    pub agent_id: Option<String>,
    /// Decoded arguments by name, without U+0000, which JSONB refuses.
    pub data: Option<Value>,
    /// The contract that emitted it, lower-case 0x hex.
    pub address: Option<String>,
    /// The raw log's topics, 0x hex each; empty where the log has no topic.
    pub topics: Option<Vec<String>>,
    /// The raw log's data, 0x hex.
    pub log_data: Option<String>,
}

/// The treatment of a row that is stored already under an event's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IfStored {
    /// It takes the event's contents and becomes valid: by the right to invalidate.
    TakeOver,
    /// It stays as it is.
    Leave,
}

impl IfStored {
    /// As far as the reader may.
    pub fn by(rights: Rights) -> Self {
        if rights.invalidate { Self::TakeOver } else { Self::Leave }
    }
}

/// Stores `events` in the order given, which is the order they are judged in.
///
/// A reader that takes over settles rows that are stored already under an event's name: a row with
/// other contents ([0018](../../../../docs/decisions/0018-the-writer-takes-over.md)) takes the
/// event's, an invalidated one becomes valid again, and an equal one is not written. The slice
/// holds no name twice. Returns the number of rows written.
pub async fn insert(
    connection: &mut PgConnection,
    events: &[NewEvent],
    if_stored: IfStored,
) -> Result<u64> {
    let mut rows_written = 0;
    for rows in events.chunks(ROWS_PER_STATEMENT_MAX) {
        rows_written += insert_rows(connection, &EventColumns::of(rows), if_stored).await?;
    }
    Ok(rows_written)
}

async fn insert_rows(
    connection: &mut PgConnection,
    columns: &EventColumns<'_>,
    if_stored: IfStored,
) -> Result<u64> {
    let takes_over = if_stored == IfStored::TakeOver;
    let done = sqlx::query!(
        r#"
        INSERT INTO events (
            id, chain_id, block_number, block_hash, transaction_hash, log_index, event_type,
            registry, "timestamp", agent_id, data, address, topics, log_data)
        SELECT
            id, chain_id, block_number, block_hash, transaction_hash, log_index, event_type,
            registry, "timestamp", agent_id::numeric, data, address,
            string_to_array(topics, ' '), log_data
        FROM UNNEST(
            $1::text[], $2::bigint[], $3::bigint[], $4::text[], $5::text[], $6::int[], $7::text[],
            $8::text[], $9::bigint[], $10::text[], $11::jsonb[], $12::text[], $13::text[],
            $14::text[]
        ) WITH ORDINALITY AS new (
            id, chain_id, block_number, block_hash, transaction_hash, log_index, event_type,
            registry, "timestamp", agent_id, data, address, topics, log_data, place)
        -- A conflict locks the stored row, which is the writer's to lock.
        WHERE $15 OR NOT EXISTS (
            SELECT FROM events WHERE events.id = new.id AND events."timestamp" = new."timestamp")
        ORDER BY place
        ON CONFLICT (id, "timestamp") DO UPDATE SET
            chain_id = EXCLUDED.chain_id, block_number = EXCLUDED.block_number,
            block_hash = EXCLUDED.block_hash, transaction_hash = EXCLUDED.transaction_hash,
            log_index = EXCLUDED.log_index, event_type = EXCLUDED.event_type,
            registry = EXCLUDED.registry, agent_id = EXCLUDED.agent_id, data = EXCLUDED.data,
            address = EXCLUDED.address, topics = EXCLUDED.topics, log_data = EXCLUDED.log_data,
            invalidated = false
        WHERE $15 AND (events.invalidated OR says_otherwise(events, EXCLUDED))
        "#,
        &columns.ids as &[&str],
        &columns.chain_ids,
        &columns.block_numbers,
        &columns.block_hashes as &[&str],
        &columns.transaction_hashes as &[&str],
        &columns.log_indexes,
        &columns.event_types as &[&str],
        &columns.registries as &[&str],
        &columns.timestamps,
        &columns.agent_ids as &[Option<&str>],
        &columns.data as &[Option<&Value>],
        &columns.addresses as &[Option<&str>],
        &columns.topics as &[Option<String>],
        &columns.log_data as &[Option<&str>],
        takes_over,
    )
    .execute(connection)
    .await?;
    Ok(done.rows_affected())
}

/// Events as arrays for `unnest`.
pub(crate) struct EventColumns<'r> {
    pub(crate) ids: Vec<&'r str>,
    pub(crate) chain_ids: Vec<i64>,
    pub(crate) block_numbers: Vec<i64>,
    pub(crate) block_hashes: Vec<&'r str>,
    pub(crate) transaction_hashes: Vec<&'r str>,
    pub(crate) log_indexes: Vec<i32>,
    pub(crate) event_types: Vec<&'r str>,
    pub(crate) registries: Vec<&'r str>,
    pub(crate) timestamps: Vec<i64>,
    pub(crate) agent_ids: Vec<Option<&'r str>>,
    pub(crate) data: Vec<Option<&'r Value>>,
    pub(crate) addresses: Vec<Option<&'r str>>,
    /// UNNEST flattens an array of arrays: each row's topics travel as one text.
    pub(crate) topics: Vec<Option<String>>,
    pub(crate) log_data: Vec<Option<&'r str>>,
}

impl<'r> EventColumns<'r> {
    pub(crate) fn of(rows: &'r [NewEvent]) -> Self {
        Self {
            ids: column(rows, |row| row.name.id.as_str()),
            chain_ids: column(rows, |row| row.chain_id.0),
            block_numbers: column(rows, |row| row.block_number),
            block_hashes: column(rows, |row| row.block_hash.as_str()),
            transaction_hashes: column(rows, |row| row.transaction_hash.as_str()),
            log_indexes: column(rows, |row| row.log_index),
            event_types: column(rows, |row| row.event_type.as_str()),
            registries: column(rows, |row| row.registry.as_str()),
            timestamps: column(rows, |row| row.name.timestamp),
            agent_ids: column(rows, |row| row.agent_id.as_deref()),
            data: column(rows, |row| row.data.as_ref()),
            addresses: column(rows, |row| row.address.as_deref()),
            topics: column(rows, |row| row.topics.as_ref().map(|topics| topics.join(" "))),
            log_data: column(rows, |row| row.log_data.as_deref()),
        }
    }
}

fn column<'r, T>(rows: &'r [NewEvent], of: impl Fn(&'r NewEvent) -> T) -> Vec<T> {
    rows.iter().map(of).collect()
}
