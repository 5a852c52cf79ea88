//! Rows of `events` that the log does not know: they are never judged.

use sqlx::PgPool;

use crate::Result;

/// Limit of counting.
const COUNTED_MAX: i64 = 1_000;
/// SQLSTATE of a statement that ran into its time limit.
const CANCELED: &str = "57014";

/// The rows found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unlogged {
    /// Their number, at most 1,000, and the id of a row.
    Rows(i64, Option<String>),
    /// The table could not be read to its end in the time that is allowed.
    Unknown,
}

/// Rows whose present revision has no entry in the log, because they were written past the triggers
/// that make it: straight into a chunk, or while a trigger was disabled. Reads both tables whole,
/// for ten seconds at most.
pub async fn unlogged(pool: &PgPool) -> Result<Unlogged> {
    let mut transaction = pool.begin().await?;
    // A session of ours asks by key, and plans for that.
    sqlx::raw_sql(
        "SET TRANSACTION READ ONLY; SET LOCAL enable_seqscan = on;
         SET LOCAL enable_bitmapscan = on; SET LOCAL work_mem = '64MB';
         SET LOCAL statement_timeout = '10s'",
    )
    .execute(&mut *transaction)
    .await?;
    let counted = sqlx::query!(
        r#"SELECT count(*) AS "rows!", min(id) AS id FROM (
               SELECT e.id FROM events e
               WHERE NOT EXISTS (
                   SELECT FROM event_log l
                   WHERE l.chain_id = e.chain_id AND l.event_id = e.id
                     AND l.event_timestamp = e."timestamp" AND l.revision = e.revision
                     AND l.invalidated = e.invalidated)
               LIMIT $1) AS unlogged"#,
        COUNTED_MAX,
    )
    .fetch_one(&mut *transaction)
    .await;
    match counted {
        Ok(row) => Ok(Unlogged::Rows(row.rows, row.id)),
        Err(sqlx::Error::Database(error)) if error.code().as_deref() == Some(CANCELED) => {
            Ok(Unlogged::Unknown)
        }
        Err(error) => Err(error.into()),
    }
}
