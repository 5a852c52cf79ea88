//! Table `event_log`: the entries of a shard, in order and without a gap.

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
    Event { name: EventName, revision: i32 },
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
        r#"SELECT xid::text AS "xid!", seq, event_id, event_timestamp, revision, checkpoint_block
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
            let subject = match (row.event_id, row.event_timestamp, row.revision) {
                (Some(id), Some(timestamp), Some(revision)) => {
                    StoredSubject::Event { name: EventName { id, timestamp }, revision }
                }
                _ => StoredSubject::Checkpoint {
                    block_number: row.checkpoint_block.unwrap_or_default(),
                },
            };
            Ok(StoredEntry { position, subject })
        })
        .collect()
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
