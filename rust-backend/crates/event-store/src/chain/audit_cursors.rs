//! The table `audit_cursors`: how far the auditor has read the log of each shard.

use chrono::{DateTime, Utc};
use event_engine::event::ChainId;
use sqlx::PgPool;

use crate::Result;
use crate::chain::chain_readers::Reader;
use crate::chain::observed_blocks::BlockName;
use crate::chain::{audit_suspects, chain_locks};
use crate::events::forgeries::Claims;

/// Entries of the log that are read at once.
const ENTRIES_TOGETHER: i64 = 1_000;

/// The next arrivals.
#[derive(Clone, Debug)]
pub struct Arrivals {
    /// The cursor, and where it stands after these: transaction and place.
    from: (String, i64),
    to: (String, i64),
    /// The number of reorganisations of the chain that had been followed.
    reorgs: i64,
    /// The blocks that valid events among them name and that are not known to be on the chain, or
    /// were read whole before an event came that claims to be a log of theirs.
    suspects: Vec<BlockName>,
}

/// Events of the log that arrived together.
#[derive(Default)]
struct ArrivedEvents<'a> {
    ids: Vec<&'a str>,
    times: Vec<i64>,
    logged_at: Vec<DateTime<Utc>>,
    of_old: Vec<bool>,
}

/// Begins with a chain; once. Earlier arrivals are compared from `from_block` up.
pub async fn begin(pool: &PgPool, chain_id: ChainId, from_block: i64) -> Result<()> {
    sqlx::query!(
        "INSERT INTO audit_cursors (chain_id, origin, from_block)
         SELECT $1, xid, $2 FROM log_origin
         ON CONFLICT (chain_id) DO NOTHING",
        chain_id.0,
        from_block,
    )
    .execute(pool)
    .await?;
    Ok(())
}

/// The next entries of the chain's log, below the horizon: nothing can appear in front of them any
/// more. `None` without one. Where our indexer is the chain's writer, `claims` are the marks of its
/// logs.
pub async fn next(
    pool: &PgPool,
    chain_id: ChainId,
    reader: Reader,
    claims: &Claims,
) -> Result<Option<Arrivals>> {
    let rows = sqlx::query!(
        r#"SELECT c.xid::text AS "from_xid!", c.seq AS from_seq, c.from_block,
                  c.reorgs AS "reorgs!",
                  l.xid::text AS "xid!", l.seq AS "seq!", l.event_id, l.event_timestamp,
                  l.logged_at AS "logged_at!", l.logged_at < c.began_at AS "is_old!"
           FROM (SELECT a.chain_id, a.from_block, a.began_at,
                        coalesce((SELECT reorgs FROM chain_locks l
                                  WHERE l.chain_id = a.chain_id), 0) AS reorgs,
                        CASE WHEN a.origin = o.xid THEN a.xid ELSE '0' END AS xid,
                        CASE WHEN a.origin = o.xid THEN a.seq ELSE 0 END AS seq
                 FROM audit_cursors a CROSS JOIN log_origin o
                 WHERE a.chain_id = $1 AND NOT log_is_restored()) AS c
           CROSS JOIN LATERAL (
               SELECT * FROM event_log e
               WHERE e.chain_id = c.chain_id AND (e.xid, e.seq) > (c.xid, c.seq)
                 AND e.xid < pg_snapshot_xmin(pg_current_snapshot())
               ORDER BY e.xid, e.seq
               LIMIT $2
           ) AS l
           ORDER BY l.xid, l.seq"#,
        chain_id.0,
        ENTRIES_TOGETHER,
    )
    .fetch_all(pool)
    .await?;
    let Some(last) = rows.last() else { return Ok(None) };
    let mut arrived = ArrivedEvents::default();
    for row in &rows {
        if let (Some(id), Some(time)) = (row.event_id.as_deref(), row.event_timestamp) {
            arrived.ids.push(id);
            arrived.times.push(time);
            arrived.logged_at.push(row.logged_at);
            arrived.of_old.push(row.is_old);
        }
    }
    Ok(Some(Arrivals {
        suspects: suspects(pool, chain_id, reader, claims, &arrived, last.from_block).await?,
        from: (last.from_xid.clone(), last.from_seq.unwrap_or_default()),
        to: (last.xid.clone(), last.seq),
        reorgs: last.reorgs,
    }))
}

/// Moves the cursor behind these arrivals and remembers their suspects, in one transaction. False
/// where the cursor has moved or a reorganisation was followed meanwhile, and nothing was done.
pub async fn advance(pool: &PgPool, chain_id: ChainId, arrivals: &Arrivals) -> Result<bool> {
    let mut transaction = pool.begin().await?;
    chain_locks::hold(&mut transaction, chain_id).await?;
    let done = sqlx::query!(
        "UPDATE audit_cursors c
         SET origin = o.xid, xid = $4::text::xid8, seq = $5, updated_at = now()
         FROM log_origin o, chain_locks l
         WHERE c.chain_id = $1 AND l.chain_id = c.chain_id AND l.reorgs = $6
           AND CASE WHEN c.origin = o.xid THEN (c.xid, c.seq) ELSE ('0'::xid8, 0::bigint) END
               = ($2::text::xid8, $3::bigint)",
        chain_id.0,
        arrivals.from.0,
        arrivals.from.1,
        arrivals.to.0,
        arrivals.to.1,
        arrivals.reorgs,
    )
    .execute(&mut *transaction)
    .await?;
    if done.rows_affected() == 0 {
        return Ok(false);
    }
    audit_suspects::add(&mut transaction, chain_id, &arrivals.suspects).await?;
    transaction.commit().await?;
    Ok(true)
}

/// The blocks that the valid ones of these events name and that are not known to be on the chain.
/// Of our indexer's blocks, also those stored at another time than an event that claims to be of
/// them: its own come with their block. The bounds on the block time keep the other chunks of a
/// hypertable out of it.
async fn suspects(
    pool: &PgPool,
    chain_id: ChainId,
    reader: Reader,
    claims: &Claims,
    arrived: &ArrivedEvents<'_>,
    from_block: i64,
) -> Result<Vec<BlockName>> {
    let times = &arrived.times;
    let (Some(earliest), Some(latest)) = (times.iter().min(), times.iter().max()) else {
        return Ok(Vec::new());
    };
    let blocks = sqlx::query_as!(
        BlockName,
        r#"SELECT DISTINCT number AS "number!", hash AS "hash!"
           FROM (SELECT DISTINCT e.block_number AS number, comparable_hash(e.block_hash) AS hash,
                        CASE WHEN e.registry = ANY($10) OR lower(e.address) = ANY($11)
                             THEN arrived.logged_at END AS claimed_at
                 FROM unnest($2::text[], $3::bigint[], $4::boolean[], $9::timestamptz[])
                      AS arrived (id, "timestamp", is_old, logged_at)
                 CROSS JOIN LATERAL (
                     SELECT block_number, block_hash, registry, address, invalidated FROM events
                     WHERE events.id = arrived.id AND events."timestamp" = arrived."timestamp"
                       AND events."timestamp" BETWEEN $5 AND $6
                     LIMIT 1
                 ) AS e
                 WHERE NOT e.invalidated AND (NOT arrived.is_old OR e.block_number >= $7)
           ) AS named
           WHERE NOT EXISTS (
                     SELECT FROM observed_blocks b
                     WHERE b.chain_id = $1 AND b.reader = $8 AND b.block_number = number
                       AND b.block_hash = hash
                       AND (b.reader <> 'indexer'
                            OR b.stored_at = coalesce(claimed_at, b.stored_at)))"#,
        chain_id.0,
        &arrived.ids as &[&str],
        times,
        &arrived.of_old,
        earliest,
        latest,
        from_block,
        reader.as_str(),
        &arrived.logged_at,
        &claims.registries,
        &claims.addresses,
    )
    .fetch_all(pool)
    .await?;
    Ok(blocks)
}
