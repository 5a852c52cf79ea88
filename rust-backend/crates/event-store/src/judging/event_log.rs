//! Table `event_log`: the entries of a shard, in order and without a gap.

use std::collections::HashMap;

use event_engine::event::{ChainId, Event, EventName};
use event_engine::finality::Heights;
use event_engine::log::{Entry, Position, Subject};
use event_engine::port::ShardBatch;
use sqlx::postgres::PgRow;
use sqlx::{AssertSqlSafe, FromRow as _, PgConnection, Row as _};

use crate::events::rows::event;
use crate::{Result, StoreError};

/// Bytes of arguments that are read together. A batch has to be parsed and judged before its
/// transaction counts as stalled, and has to fit in memory. A single row may have 16 MiB.
const ARGUMENTS_BYTES_MAX: i64 = 8 * 1024 * 1024;

/// The statement that [`claim`] needs on its connection: with it, to begin and to claim are one
/// round trip.
pub(crate) const PREPARED: &str = "PREPARE claim_shards (bigint[], integer, bigint) AS \
    SELECT * FROM claim_shards($1, $2, $3)";

/// An event's columns among those of a claim, as [`event!`] reads them. Validity and time are the
/// entry's: in the row they are of now, and its writer may have set them.
#[derive(sqlx::FromRow)]
struct ClaimedRow {
    #[sqlx(rename = "event_id")]
    id: String,
    #[sqlx(rename = "event_timestamp")]
    timestamp: i64,
    #[sqlx(rename = "shard")]
    chain_id: i64,
    #[sqlx(rename = "row_revision")]
    revision: i32,
    block_number: i64,
    block_hash: String,
    transaction_hash: String,
    log_index: i32,
    event_type: String,
    registry: String,
    agent_id: Option<String>,
    address: Option<String>,
    topics: Option<String>,
    data: Option<String>,
    is_unreadable: bool,
    invalidated: bool,
    #[sqlx(rename = "logged_at_ms")]
    inserted_at_ms: i64,
}

/// Begins a transaction that locks those shards which no other processor holds, and the set of
/// triggers against changes. Returns their next entries, at most `entries_max` together, each with
/// its event and revision as the row has them now, and the revision of the set; `None` where others
/// hold all the shards.
pub(crate) async fn claim(
    connection: &mut PgConnection,
    shards: &[ChainId],
    holder: &str,
    entries_max: u32,
) -> Result<Option<(i64, Vec<ShardBatch>)>> {
    let shards: Vec<String> = shards.iter().map(|shard| shard.0.to_string()).collect();
    let shards = shards.join(",");
    // Numbers only.
    let statements = format!(
        "BEGIN; EXECUTE claim_shards('{{{shards}}}', {entries_max}, {ARGUMENTS_BYTES_MAX})"
    );
    let rows = sqlx::raw_sql(AssertSqlSafe(statements)).fetch_all(connection).await?;
    let Some(first) = rows.first() else { return Ok(None) };
    let triggers_revision = first.try_get("triggers_revision")?;
    let mut batches: Vec<ShardBatch> = Vec::new();
    for row in &rows {
        let shard = ChainId(row.try_get("shard")?);
        if batches.last().is_none_or(|batch| batch.shard != shard) {
            batches.push(batch(shard, row, holder)?);
        }
        if let (Some(entry), Some(batch)) = (entry(row)?, batches.last_mut()) {
            batch.entries.push(entry);
        }
    }
    Ok(Some((triggers_revision, batches)))
}

/// The shard by its cursor, without entries. A shard that was never judged has no cursor.
fn batch(shard: ChainId, row: &PgRow, holder: &str) -> Result<ShardBatch> {
    let holder_then: Option<&str> = row.try_get("cursor_holder")?;
    let block_time: Option<i64> = row.try_get("cursor_block_time")?;
    Ok(ShardBatch {
        shard,
        cursor: position(row, "cursor_xid", "cursor_seq")?.unwrap_or_default(),
        is_continued: holder_then == Some(holder),
        block_time: block_time.unwrap_or_default(),
        heights: heights(row, ["head_block", "safe_block", "finalized_block"])?,
        waits: row.try_get("waits")?,
        entries: Vec::new(),
    })
}

/// The row's entry; `None` for a shard without entries.
fn entry(row: &PgRow) -> Result<Option<Entry>> {
    let Some(position) = position(row, "xid", "seq")? else { return Ok(None) };
    let subject = if let Some(id) = row.try_get("event_id")? {
        Subject::Event {
            name: EventName { id, timestamp: row.try_get("event_timestamp")? },
            revision: row.try_get("revision")?,
            row: event(row)?.map(Box::new),
            superseded: false,
        }
    } else {
        let reported = ["reported_head", "reported_safe", "reported_finalized"];
        Subject::Heights(heights(row, reported)?)
    };
    Ok(Some(Entry { position, subject }))
}

/// The event as its row says it now; `None` where the row is deleted.
fn event(row: &PgRow) -> Result<Option<Event>> {
    if row.try_get::<Option<i32>, _>("row_revision")?.is_none() {
        return Ok(None);
    }
    let row = ClaimedRow::from_row(row)?;
    Ok(Some(event!("events", row)))
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

/// The positions of the later revisions of these events in their shard's log.
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
