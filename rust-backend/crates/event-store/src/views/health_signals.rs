//! Signs of a stuck system, at one moment: cheap enough to be read every few seconds.

use chrono::{DateTime, Utc};
use event_engine::event::ChainId;
use sqlx::PgPool;

use crate::Result;

/// The signs by which a supervisor tells that something is wrong.
#[derive(Clone, Debug)]
pub struct HealthSignals {
    /// Age in seconds of the oldest unjudged event of each shard; 0 where all are judged.
    pub oldest_unjudged: Vec<(ChainId, f64)>,
    /// True if the log is of another cluster: the database has been dumped and restored.
    pub restored: bool,
    /// Age in seconds of the oldest open transaction that has written; 0 without one.
    pub oldest_writing_transaction_seconds: f64,
    /// Share of the notification queue in use, 0 to 1.
    pub notification_queue_usage: f64,
    /// Jobs that have been due for more than a second, and age in seconds of the oldest.
    pub jobs_overdue: (i64, f64),
    /// By how much at least the database's clock has gone back: a batch was committed later than
    /// now.
    pub clock_set_back_seconds: f64,
    /// The database's clock.
    pub now: DateTime<Utc>,
}

/// Limit of counting: an exact number of a long backlog is not worth reading it.
pub const OVERDUE_MAX: i64 = 10_000;

/// The database's clock, at this moment.
pub async fn clock(pool: &PgPool) -> Result<DateTime<Utc>> {
    Ok(sqlx::query_scalar!(r#"SELECT clock_timestamp() AS "now!""#).fetch_one(pool).await?)
}

/// Reads them, of these chains.
pub async fn read(pool: &PgPool, chains: &[ChainId]) -> Result<HealthSignals> {
    let chains: Vec<i64> = chains.iter().map(|chain| chain.0).collect();
    let shards = sqlx::query!(
        r#"SELECT s.chain_id AS "chain_id!",
                  coalesce((SELECT extract(epoch FROM now() - l.logged_at) FROM event_log l
                            WHERE l.chain_id = s.chain_id AND l.event_id IS NOT NULL
                              AND (l.xid, l.seq) > (coalesce(c.xid, '0'), coalesce(c.seq, 0))
                            ORDER BY l.xid, l.seq LIMIT 1
                           ), 0)::double precision AS "oldest!"
           FROM unnest($1::bigint[]) AS s (chain_id)
           LEFT JOIN shard_cursors c USING (chain_id)"#,
        &chains,
    )
    .fetch_all(pool)
    .await?;
    let rest = sqlx::query!(
        r#"SELECT now() AS "now!", pg_notification_queue_usage() AS "usage!",
                  log_is_restored() AS "restored!",
                  (SELECT coalesce(greatest(extract(epoch FROM max(updated_at) - now()), 0), 0)
                   FROM unnest($2::bigint[]) AS s (chain_id)
                   JOIN shard_cursors USING (chain_id))::double precision AS "set_back!",
                  (SELECT coalesce(extract(epoch FROM max(now() - began)), 0)::double precision
                   FROM (SELECT xact_start FROM pg_stat_activity
                         WHERE backend_xid IS NOT NULL AND pid <> pg_backend_pid()
                         UNION ALL
                         SELECT prepared FROM pg_prepared_xacts) AS open (began)) AS "writing!",
                  overdue.number AS "overdue!", overdue.oldest AS "overdue_oldest!"
           FROM (SELECT count(*) AS number,
                        coalesce(extract(epoch FROM now() - min(due_at)), 0)::double precision
                            AS oldest
                 FROM (SELECT due_at FROM jobs
                       WHERE state = 'pending' AND due_at < now() - interval '1 second'
                       ORDER BY due_at LIMIT $1) AS late) AS overdue"#,
        OVERDUE_MAX,
        &chains,
    )
    .fetch_one(pool)
    .await?;
    Ok(HealthSignals {
        oldest_unjudged: shards.iter().map(|row| (ChainId(row.chain_id), row.oldest)).collect(),
        restored: rest.restored,
        clock_set_back_seconds: rest.set_back,
        oldest_writing_transaction_seconds: rest.writing,
        notification_queue_usage: rest.usage,
        jobs_overdue: (rest.overdue, rest.overdue_oldest),
        now: rest.now,
    })
}
