//! Writing the table `events`: what our own indexer stores.

use event_engine::event::{ChainId, EventName};
use serde_json::Value;
use sqlx::PgConnection;

use crate::Result;

/// Rows a statement, so that no statement grows with the size of a block.
const ROWS_PER_STATEMENT_MAX: usize = 1_000;

/// A row to be stored. What it does not name has its default: valid, revision 0, created now.
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
    /// The raw log's topics, 0x hex each. `Some` and empty where the log has none.
    pub topics: Option<Vec<String>>,
    /// The raw log's data, 0x hex.
    pub log_data: Option<String>,
}

/// What a writer of a chain may do. Of several, one owns it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Writer {
    /// Writes its checkpoint, and says which of its events are valid.
    Owner,
    /// Inserts events, and leaves what is stored as it is.
    Inserter,
}

/// Stores `events` in the order given, which is the order they are judged in.
///
/// An event that is stored already stays as it is; one that had been taken back is valid again if
/// the owner stores it. The slice holds no name twice. Returns how many rows were written.
pub async fn insert(
    connection: &mut PgConnection,
    events: &[NewEvent],
    writer: Writer,
) -> Result<u64> {
    let mut rows_written = 0;
    for rows in events.chunks(ROWS_PER_STATEMENT_MAX) {
        rows_written += insert_rows(connection, rows, writer).await?;
    }
    Ok(rows_written)
}

async fn insert_rows(
    connection: &mut PgConnection,
    rows: &[NewEvent],
    writer: Writer,
) -> Result<u64> {
    let owns = writer == Writer::Owner;
    let ids: Vec<&str> = column(rows, |row| row.name.id.as_str());
    let chain_ids: Vec<i64> = column(rows, |row| row.chain_id.0);
    let block_numbers: Vec<i64> = column(rows, |row| row.block_number);
    let block_hashes: Vec<&str> = column(rows, |row| row.block_hash.as_str());
    let transaction_hashes: Vec<&str> = column(rows, |row| row.transaction_hash.as_str());
    let log_indexes: Vec<i32> = column(rows, |row| row.log_index);
    let event_types: Vec<&str> = column(rows, |row| row.event_type.as_str());
    let registries: Vec<&str> = column(rows, |row| row.registry.as_str());
    let timestamps: Vec<i64> = column(rows, |row| row.name.timestamp);
    let agent_ids: Vec<Option<&str>> = column(rows, |row| row.agent_id.as_deref());
    let data: Vec<Option<&Value>> = column(rows, |row| row.data.as_ref());
    let addresses: Vec<Option<&str>> = column(rows, |row| row.address.as_deref());
    // UNNEST flattens an array of arrays: each row's topics travel as one text.
    let topics: Vec<Option<String>> =
        column(rows, |row| row.topics.as_ref().map(|topics| topics.join(" ")));
    let log_data: Vec<Option<&str>> = column(rows, |row| row.log_data.as_deref());
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
        -- A conflict locks the stored row, which is the owner's to lock.
        WHERE $15 OR NOT EXISTS (
            SELECT FROM events WHERE events.id = new.id AND events."timestamp" = new."timestamp")
        ORDER BY place
        ON CONFLICT (id, "timestamp") DO UPDATE SET invalidated = false
            WHERE events.invalidated AND $15
        "#,
        &ids as &[&str],
        &chain_ids,
        &block_numbers,
        &block_hashes as &[&str],
        &transaction_hashes as &[&str],
        &log_indexes,
        &event_types as &[&str],
        &registries as &[&str],
        &timestamps,
        &agent_ids as &[Option<&str>],
        &data as &[Option<&Value>],
        &addresses as &[Option<&str>],
        &topics as &[Option<String>],
        &log_data as &[Option<&str>],
        owns,
    )
    .execute(connection)
    .await?;
    Ok(done.rows_affected())
}

fn column<'r, T>(rows: &'r [NewEvent], of: impl Fn(&'r NewEvent) -> T) -> Vec<T> {
    rows.iter().map(of).collect()
}
