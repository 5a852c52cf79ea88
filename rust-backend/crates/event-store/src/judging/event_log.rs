//! Table `event_log`: the entries of a shard, in order and without a gap.

use std::collections::HashMap;

use event_engine::event::{ChainId, Event, EventName};
use event_engine::finality::Heights;
use event_engine::log::Position;
use sqlx::postgres::PgRow;
use sqlx::{AssertSqlSafe, PgConnection, Row as _};

use crate::events::rows;
use crate::{Result, StoreError};

/// Bytes of arguments that are read together. A batch has to be parsed and judged before its
/// transaction counts as stalled, and has to fit in memory. A single row may have 16 MiB.
const ARGUMENTS_BYTES_MAX: i64 = 8 * 1024 * 1024;

/// What [`claim`] needs on its connection: with it, to begin and to claim are one round trip.
pub(crate) const PREPARED: &str = "PREPARE claim_shards (bigint[], integer, bigint) AS \
    SELECT * FROM claim_shards($1, $2, $3)";

/// An entry with its event's row as it is now.
#[derive(Debug)]
pub(crate) struct StoredEntry {
    pub(crate) position: Position,
    /// When it was written, unix milliseconds.
    pub(crate) logged_at_ms: i64,
    pub(crate) subject: StoredSubject,
}

/// What the entry speaks of.
#[derive(Debug)]
pub(crate) enum StoredSubject {
    /// `row` is none where the event has been deleted.
    Event {
        name: EventName,
        revision: i32,
        invalidated: bool,
        row: Option<Box<Event>>,
    },
    Heights(Heights),
}

/// A shard's cursor with its next entries.
#[derive(Debug)]
pub(crate) struct StoredPortion {
    pub(crate) shard: ChainId,
    pub(crate) cursor: Position,
    pub(crate) is_continued: bool,
    pub(crate) block_time: i64,
    pub(crate) heights: Heights,
    pub(crate) waits: bool,
    pub(crate) entries: Vec<StoredEntry>,
}

/// What a claim holds.
#[derive(Debug)]
pub(crate) struct Claimed {
    pub(crate) triggers_revision: i64,
    pub(crate) portions: Vec<StoredPortion>,
}

/// Begins a transaction, and takes shards, and the set of triggers against changes, until it ends:
/// those that no other processor has, with the next entries behind their cursors, at most
/// `entries_max` of all together. `None` where others have them all.
pub(crate) async fn claim(
    connection: &mut PgConnection,
    shards: &[ChainId],
    holder: &str,
    entries_max: u32,
) -> Result<Option<Claimed>> {
    let shards: Vec<String> = shards.iter().map(|shard| shard.0.to_string()).collect();
    let shards = shards.join(",");
    // Numbers only.
    let statements = format!(
        "BEGIN; EXECUTE claim_shards('{{{shards}}}', {entries_max}, {ARGUMENTS_BYTES_MAX})"
    );
    let rows = sqlx::raw_sql(AssertSqlSafe(statements)).fetch_all(connection).await?;
    let Some(first) = rows.first() else { return Ok(None) };
    let triggers_revision = first.try_get("triggers_revision")?;
    let mut portions: Vec<StoredPortion> = Vec::new();
    for row in &rows {
        let shard = ChainId(row.try_get("shard")?);
        if portions.last().is_none_or(|portion| portion.shard != shard) {
            portions.push(portion(shard, row, holder)?);
        }
        if let (Some(entry), Some(portion)) = (entry(row, shard)?, portions.last_mut()) {
            portion.entries.push(entry);
        }
    }
    Ok(Some(Claimed { triggers_revision, portions }))
}

/// The shard as its cursor says, and none of its entries. A shard that was never judged has no
/// cursor.
fn portion(shard: ChainId, row: &PgRow, holder: &str) -> Result<StoredPortion> {
    let holder_then: Option<&str> = row.try_get("cursor_holder")?;
    let block_time: Option<i64> = row.try_get("cursor_block_time")?;
    Ok(StoredPortion {
        shard,
        cursor: position(row, "cursor_xid", "cursor_seq")?.unwrap_or_default(),
        is_continued: holder_then == Some(holder),
        block_time: block_time.unwrap_or_default(),
        heights: heights(row, ["head_block", "safe_block", "finalized_block"])?,
        waits: row.try_get("waits")?,
        entries: Vec::new(),
    })
}

/// The row's entry; `None` where the shard has none.
fn entry(row: &PgRow, shard: ChainId) -> Result<Option<StoredEntry>> {
    let Some(position) = position(row, "xid", "seq")? else { return Ok(None) };
    let subject = if let Some(id) = row.try_get("event_id")? {
        let name = EventName { id, timestamp: row.try_get("event_timestamp")? };
        StoredSubject::Event {
            revision: row.try_get("revision")?,
            invalidated: row.try_get("invalidated")?,
            row: event(row, shard, &name)?.map(Box::new),
            name,
        }
    } else {
        let reported = ["reported_head", "reported_safe", "reported_finalized"];
        StoredSubject::Heights(heights(row, reported)?)
    };
    Ok(Some(StoredEntry { position, logged_at_ms: row.try_get("logged_at_ms")?, subject }))
}

/// The event's row; `None` where it is deleted. Whether it was valid and when it was inserted is
/// left to the entry: a row says what it is by now, and what its writer likes.
fn event(row: &PgRow, chain_id: ChainId, name: &EventName) -> Result<Option<Event>> {
    let Some(revision) = row.try_get("row_revision")? else { return Ok(None) };
    let data = row.try_get("data")?;
    let is_unreadable: Option<bool> = row.try_get("is_unreadable")?;
    Ok(Some(Event {
        name: name.clone(),
        chain_id,
        block_number: row.try_get("block_number")?,
        block_hash: row.try_get("block_hash")?,
        transaction_hash: row.try_get("transaction_hash")?,
        log_index: row.try_get("log_index")?,
        event_type: row.try_get("event_type")?,
        registry: row.try_get("registry")?,
        agent_id: row.try_get("agent_id")?,
        address: row.try_get("address")?,
        arguments: rows::arguments("events", &name.id, data, is_unreadable == Some(true)),
        invalidated: false,
        revision,
        inserted_at_ms: 0,
    }))
}

fn heights(row: &PgRow, [head, safe, finalized]: [&str; 3]) -> Result<Heights> {
    Ok(Heights {
        head: row.try_get(head)?,
        safe: row.try_get(safe)?,
        finalized: row.try_get(finalized)?,
    })
}

fn position(row: &PgRow, xid: &str, seq: &str) -> Result<Option<Position>> {
    // sqlx has no type for PostgreSQL's 64-bit transaction ids; unchecked, it gives their text.
    let Some(xid) = row.try_get_unchecked::<Option<&str>, _>(xid)? else { return Ok(None) };
    Ok(Some(Position { xid: parse_xid(xid)?, seq: row.try_get(seq)? }))
}

/// Where the later revisions of these events stand in their shard's log.
pub(crate) async fn revisions(
    connection: &mut PgConnection,
    names: &[&EventName],
) -> Result<HashMap<EventName, Vec<(i32, Position)>>> {
    let ids: Vec<&str> = names.iter().map(|name| name.id.as_str()).collect();
    let times: Vec<i64> = names.iter().map(|name| name.timestamp).collect();
    let rows = sqlx::query!(
        r#"SELECT event_id AS "id!", event_timestamp AS "timestamp!", revision AS "revision!",
                  xid::text AS "xid!", seq
           FROM event_log
           JOIN unnest($1::text[], $2::bigint[]) AS wanted (id, "timestamp")
                ON event_id = wanted.id AND event_timestamp = wanted."timestamp"
           WHERE revision > 0"#,
        &ids as &[&str],
        &times,
    )
    .fetch_all(connection)
    .await?;
    let mut revisions: HashMap<_, Vec<_>> = HashMap::new();
    for row in rows {
        let name = EventName { id: row.id, timestamp: row.timestamp };
        let position = Position { xid: parse_xid(&row.xid)?, seq: row.seq };
        revisions.entry(name).or_default().push((row.revision, position));
    }
    Ok(revisions)
}

/// A 64-bit transaction id out of its text.
pub(crate) fn parse_xid(text: &str) -> Result<u64> {
    text.parse().map_err(|_| StoreError::BrokenRow {
        table: "event_log",
        column: "xid",
        id: text.to_owned(),
        problem: "is not a transaction id".to_owned(),
    })
}
