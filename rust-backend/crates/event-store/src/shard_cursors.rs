//! Table `shard_cursors`, and the lock that makes a shard ours.

use event_engine::decide::Tally;
use event_engine::event::ChainId;
use event_engine::log::Position;
use event_engine::port::Survey;
use sqlx::{PgConnection, PgPool};

use crate::event_log::parse_xid;
use crate::shards::BEGINNING;
use crate::{Result, StoreError};

/// How far a shard has been judged.
#[derive(Clone, Debug)]
pub(crate) struct Cursor {
    pub(crate) position: Position,
    /// The latest block time judged, unix seconds.
    pub(crate) block_time: i64,
}

/// Where a batch moves the cursor, and what it says of itself.
#[derive(Debug)]
pub(crate) struct Moved<'a> {
    pub(crate) to: Position,
    pub(crate) block_time: i64,
    pub(crate) triggers_revision: i64,
    pub(crate) holder: &'a str,
    pub(crate) tally: Tally,
}

/// One look at all shards: a jump from chain to chain through the log's key, then one probe on
/// each side of the horizon.
pub(crate) async fn survey(pool: &PgPool) -> Result<Survey> {
    let rows = sqlx::query!(
        r#"WITH RECURSIVE shards (chain_id) AS (
               SELECT min(chain_id) FROM event_log
               UNION ALL
               SELECT (SELECT min(l.chain_id) FROM event_log l WHERE l.chain_id > s.chain_id)
               FROM shards s WHERE s.chain_id IS NOT NULL
           ), horizon (xmin, xmax) AS (
               SELECT pg_snapshot_xmin(now.snapshot), pg_snapshot_xmax(now.snapshot)
               FROM pg_current_snapshot() AS now (snapshot)
           )
           SELECT s.chain_id AS "chain_id!",
                  EXISTS (SELECT FROM event_log l
                          WHERE l.chain_id = s.chain_id AND l.xid < h.xmin
                            AND (l.xid, l.seq) > (coalesce(c.xid, '0'), coalesce(c.seq, 0))
                         ) AS "ready!",
                  EXISTS (SELECT FROM event_log l
                          WHERE l.chain_id = s.chain_id AND l.xid >= h.xmin) AS "held!",
                  coalesce(c.xid >= h.xmax, false) AS "restored!"
           FROM shards s
           CROSS JOIN horizon h
           LEFT JOIN shard_cursors c USING (chain_id)
           WHERE s.chain_id IS NOT NULL"#,
    )
    .fetch_all(pool)
    .await?;
    if let Some(row) = rows.iter().find(|row| row.restored) {
        return Err(StoreError::Restored { chain_id: row.chain_id });
    }
    Ok(Survey {
        ready: rows.iter().filter(|row| row.ready).map(|row| ChainId(row.chain_id)).collect(),
        held: rows.iter().any(|row| row.held),
    })
}

/// Takes the shard, and the set of triggers against changes, until the transaction ends. False
/// where another processor has the shard.
///
/// Advisory locks, because a row lock would take a transaction id for the whole batch and hold
/// every other shard's horizon back; they end with the connection as a row lock does.
pub(crate) async fn lock(connection: &mut PgConnection, shard: ChainId) -> Result<bool> {
    let locked = sqlx::query_scalar!(
        r#"SELECT CASE
               WHEN pg_try_advisory_xact_lock(
                        hashtextextended('agentauri shard ' || $1::bigint::text, 0))
               THEN (SELECT true FROM pg_advisory_xact_lock_shared(
                        hashtextextended('agentauri trigger set', 0)))
               ELSE false END AS "locked!""#,
        shard.0,
    )
    .fetch_one(connection)
    .await?;
    Ok(locked)
}

/// Reads the shard's cursor. A statement of its own after the lock: its snapshot must be later.
pub(crate) async fn read(connection: &mut PgConnection, shard: ChainId) -> Result<Cursor> {
    let row = sqlx::query!(
        r#"SELECT xid::text AS "xid!", seq, block_time FROM shard_cursors WHERE chain_id = $1"#,
        shard.0,
    )
    .fetch_optional(connection)
    .await?;
    Ok(match row {
        Some(row) => {
            let position = Position { xid: parse_xid(&row.xid)?, seq: row.seq };
            Cursor { position, block_time: row.block_time }
        }
        None => Cursor { position: BEGINNING, block_time: 0 },
    })
}

/// Moves the cursor from where it was read, or fails with [`StoreError::ShardLost`].
pub(crate) async fn advance(
    connection: &mut PgConnection,
    shard: ChainId,
    from: &Cursor,
    moved: &Moved<'_>,
) -> Result<()> {
    let done = sqlx::query!(
        r#"INSERT INTO shard_cursors AS c (chain_id, xid, seq, triggers_revision, holder,
                                           generation, entries_judged, entries_gone,
                                           block_time, events_late)
           VALUES ($1, $2::text::xid8, $3, $4, $5, 1, $6, $7, $10, $11)
           ON CONFLICT (chain_id) DO UPDATE
           SET xid = excluded.xid, seq = excluded.seq,
               triggers_revision = excluded.triggers_revision,
               generation = c.generation
                   + CASE WHEN c.holder IS DISTINCT FROM excluded.holder THEN 1 ELSE 0 END,
               holder = excluded.holder,
               entries_judged = c.entries_judged + excluded.entries_judged,
               entries_gone = c.entries_gone + excluded.entries_gone,
               events_late = c.events_late + excluded.events_late,
               block_time = excluded.block_time,
               updated_at = now()
           WHERE c.xid = $8::text::xid8 AND c.seq = $9"#,
        shard.0,
        moved.to.xid.to_string(),
        moved.to.seq,
        moved.triggers_revision,
        moved.holder,
        i64::try_from(moved.tally.entries).unwrap_or(i64::MAX),
        i64::try_from(moved.tally.gone).unwrap_or(i64::MAX),
        from.position.xid.to_string(),
        from.position.seq,
        moved.block_time,
        i64::try_from(moved.tally.late).unwrap_or(i64::MAX),
    )
    .execute(connection)
    .await?;
    if done.rows_affected() == 1 {
        return Ok(());
    }
    Err(StoreError::ShardLost { chain_id: shard.0 })
}
