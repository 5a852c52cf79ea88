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

/// The next entries of a shard behind `cursor`, at most `entries_max`.
///
/// Only what lies below the snapshot's horizon is handed out: every transaction with a smaller
/// number has ended, so nothing can appear in front of it any more.
pub(crate) async fn next(
    connection: &mut PgConnection,
    shard: ChainId,
    cursor: Position,
    entries_max: u32,
) -> Result<Vec<StoredEntry>> {
    let rows = sqlx::query!(
        r#"SELECT xid::text AS "xid!", seq, event_id, event_timestamp, revision, invalidated,
                  checkpoint_block
           FROM event_log
           WHERE chain_id = $1
             AND (xid, seq) > ($2::text::xid8, $3)
             AND xid < pg_snapshot_xmin(pg_current_snapshot())
           ORDER BY xid, seq
           LIMIT $4"#,
        shard.0,
        cursor.xid.to_string(),
        cursor.seq,
        i64::from(entries_max),
    )
    .fetch_all(connection)
    .await?;
    rows.into_iter()
        .map(|row| {
            let position = Position { xid: parse_xid(&row.xid)?, seq: row.seq };
            let event = (row.event_id, row.event_timestamp, row.revision, row.invalidated);
            let subject = match event {
                (Some(id), Some(timestamp), Some(revision), Some(invalidated)) => {
                    let name = EventName { id, timestamp };
                    StoredSubject::Event { name, revision, invalidated }
                }
                _ => StoredSubject::Checkpoint {
                    block_number: row.checkpoint_block.unwrap_or_default(),
                },
            };
            Ok(StoredEntry { position, subject })
        })
        .collect()
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
