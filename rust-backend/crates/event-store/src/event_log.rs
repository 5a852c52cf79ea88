//! Table `event_log`: the entries of a shard, in order and without a gap.

use std::collections::HashMap;

use event_engine::event::{ChainId, EventName};
use event_engine::log::Position;
use sqlx::PgConnection;

use crate::{Result, StoreError};

/// An entry before its event's row is read.
#[derive(Debug)]
pub(crate) struct StoredEntry {
    pub(crate) position: Position,
    /// When it was written, unix milliseconds.
    pub(crate) logged_at_ms: i64,
    pub(crate) subject: StoredSubject,
}

impl StoredEntry {
    /// The event that it speaks of, if it speaks of one.
    pub(crate) fn name(&self) -> Option<&EventName> {
        match &self.subject {
            StoredSubject::Event { name, .. } => Some(name),
            StoredSubject::Checkpoint { .. } => None,
        }
    }
}

/// What the entry speaks of.
#[derive(Debug)]
pub(crate) enum StoredSubject {
    Event { name: EventName, revision: i32, invalidated: bool },
    Checkpoint { block_number: i64 },
}

/// A shard's cursor with its next entries, before their events' rows are read.
#[derive(Debug)]
pub(crate) struct StoredPortion {
    pub(crate) shard: ChainId,
    pub(crate) cursor: Position,
    pub(crate) is_continued: bool,
    pub(crate) block_time: i64,
    pub(crate) entries: Vec<StoredEntry>,
}

/// The cursors of `shards` with the next entries behind them, at most `entries_max` of all
/// together, and the revision of the set of triggers. A statement of its own after the locks: its
/// snapshot must be later.
///
/// Only what lies below the snapshot's horizon is handed out: every transaction with a smaller
/// number has ended, so nothing can appear in front of it any more.
pub(crate) async fn next(
    connection: &mut PgConnection,
    shards: &[i64],
    holder: &str,
    entries_max: u32,
) -> Result<(i64, Vec<StoredPortion>)> {
    // Each its share, or the first would be all that is judged.
    let share = entries_max.div_ceil(u32::try_from(shards.len().max(1)).unwrap_or(u32::MAX));
    let rows = sqlx::query!(
        r#"SELECT s.chain_id AS "chain_id!", c.xid::text AS "cursor_xid?", c.seq AS "cursor_seq?",
                  c.block_time AS "block_time?", c.holder = $3 AS is_continued,
                  (SELECT revision FROM trigger_set) AS "triggers_revision!",
                  l.xid::text AS "xid?", l.seq AS "seq?",
                  l.event_id, l.event_timestamp, l.revision, l.invalidated, l.checkpoint_block,
                  (extract(epoch FROM l.logged_at) * 1000)::bigint AS logged_at_ms
           FROM unnest($1::bigint[]) WITH ORDINALITY AS s (chain_id, place)
           LEFT JOIN shard_cursors c ON c.chain_id = s.chain_id
           LEFT JOIN LATERAL (
               SELECT * FROM event_log e
               WHERE e.chain_id = s.chain_id
                 AND (e.xid, e.seq) > (coalesce(c.xid, '0'), coalesce(c.seq, 0))
                 AND e.xid < pg_snapshot_xmin(pg_current_snapshot())
               ORDER BY e.xid, e.seq
               LIMIT $2
           ) AS l ON true
           ORDER BY s.place, l.xid, l.seq"#,
        shards,
        i64::from(share),
        holder,
    )
    .fetch_all(connection)
    .await?;
    let mut triggers_revision = 0;
    let mut portions: Vec<StoredPortion> = Vec::with_capacity(shards.len());
    for row in rows {
        triggers_revision = row.triggers_revision;
        if portions.last().is_none_or(|portion| portion.shard.0 != row.chain_id) {
            let cursor = match (&row.cursor_xid, row.cursor_seq) {
                (Some(xid), Some(seq)) => Position { xid: parse_xid(xid)?, seq },
                _ => Position::default(),
            };
            portions.push(StoredPortion {
                shard: ChainId(row.chain_id),
                cursor,
                is_continued: row.is_continued.unwrap_or(false),
                block_time: row.block_time.unwrap_or_default(),
                entries: Vec::new(),
            });
        }
        let (Some(xid), Some(seq)) = (&row.xid, row.seq) else { continue };
        let position = Position { xid: parse_xid(xid)?, seq };
        let event = (row.event_id, row.event_timestamp, row.revision, row.invalidated);
        let subject = match event {
            (Some(id), Some(timestamp), Some(revision), Some(invalidated)) => {
                let name = EventName { id, timestamp };
                StoredSubject::Event { name, revision, invalidated }
            }
            _ => {
                StoredSubject::Checkpoint { block_number: row.checkpoint_block.unwrap_or_default() }
            }
        };
        if let Some(portion) = portions.last_mut() {
            let logged_at_ms = row.logged_at_ms.unwrap_or_default();
            portion.entries.push(StoredEntry { position, logged_at_ms, subject });
        }
    }
    Ok((triggers_revision, portions))
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

/// PostgreSQL's 64-bit transaction id; sqlx has no type for it, so it travels as text.
pub(crate) fn parse_xid(text: &str) -> Result<u64> {
    text.parse().map_err(|_| StoreError::BrokenRow {
        table: "event_log",
        column: "xid",
        id: text.to_owned(),
        problem: "is not a transaction id".to_owned(),
    })
}
