//! Table `times_ahead`: block times that are ahead of every clock.

use chrono::{DateTime, Utc};
use event_engine::decide::Ahead;
use event_engine::event::ChainId;
use serde::Serialize;
use sqlx::{PgConnection, PgPool};

use crate::Result;

/// A row.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TimeAhead {
    /// The chain.
    pub chain_id: i64,
    /// `event` or `block`.
    pub subject: String,
    /// The id of the event, or the hash of the block, that was the last.
    pub latest: String,
    /// Its time, unix seconds.
    pub block_time: i64,
    /// When it was seen.
    pub seen_at: DateTime<Utc>,
    /// Their number since the beginning.
    pub number: i64,
}

/// Notes the times that batches saw, in their transaction. Chains are named once each.
pub(crate) async fn note(connection: &mut PgConnection, seen: &[(ChainId, &Ahead)]) -> Result<()> {
    if seen.is_empty() {
        return Ok(());
    }
    let chains: Vec<i64> = seen.iter().map(|(chain, _)| chain.0).collect();
    let latest: Vec<&str> = seen.iter().map(|(_, ahead)| ahead.latest.id.as_str()).collect();
    let times: Vec<i64> = seen.iter().map(|(_, ahead)| ahead.latest.timestamp).collect();
    let logged_at_ms: Vec<i64> = seen.iter().map(|(_, ahead)| ahead.logged_at_ms).collect();
    let numbers = seen.iter().map(|(_, ahead)| i64::try_from(ahead.events).unwrap_or(i64::MAX));
    let numbers: Vec<i64> = numbers.collect();
    sqlx::query!(
        "INSERT INTO times_ahead AS t (chain_id, subject, latest, block_time, seen_at, number)
         SELECT chain_id, 'event', latest, block_time,
                to_timestamp(logged_at_ms / 1000.0), number
         FROM unnest($1::bigint[], $2::text[], $3::bigint[], $4::bigint[], $5::bigint[])
              AS seen (chain_id, latest, block_time, logged_at_ms, number)
         ON CONFLICT (chain_id, subject) DO UPDATE
         SET (latest, block_time, seen_at, number)
             = (excluded.latest, excluded.block_time, excluded.seen_at,
                t.number + excluded.number)",
        &chains,
        &latest as &[&str],
        &times,
        &logged_at_ms,
        &numbers,
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// The rows of the last so many hours, the latest first, at most `rows_max`; and the number of
/// chains that have any.
pub async fn within(pool: &PgPool, hours: i32, rows_max: i64) -> Result<(Vec<TimeAhead>, i64)> {
    let rows = sqlx::query_as!(
        TimeAhead,
        "SELECT chain_id, subject, latest, block_time, seen_at, number FROM times_ahead
         WHERE seen_at > now() - make_interval(hours => $1)
         ORDER BY seen_at DESC, chain_id, subject LIMIT $2",
        hours,
        rows_max,
    )
    .fetch_all(pool)
    .await?;
    let chains = sqlx::query_scalar!(
        r#"SELECT count(DISTINCT chain_id) AS "chains!" FROM times_ahead
           WHERE seen_at > now() - make_interval(hours => $1)"#,
        hours,
    )
    .fetch_one(pool)
    .await?;
    Ok((rows, chains))
}
