//! Tries if PostgreSQL takes writes, as the processes make them.

use sqlx::{PgPool, PgTransaction};

use crate::Result;

/// A commit that waits for longer is not merely slow.
const COMMIT_SECONDS_MAX: f64 = 5.0;

/// The reason why writes fail, or why their commits wait.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WriteObstacle {
    /// The server is a standby.
    Standby,
    /// `default_transaction_read_only` is on, and where it was set, as `pg_settings` says it.
    ReadOnly(String),
    /// The role lacks a right; the server's words.
    Rights(String),
    /// No space is left; the server's words.
    DiskFull(String),
    /// Commits wait for a synchronous standby: `synchronous_standby_names`.
    NoStandby(String),
    /// Another error, by its code and words.
    Other(String),
}

/// Writes to the tables of processors and workers, in a transaction that is rolled back. `None` if
/// that works.
///
/// # Errors
/// PostgreSQL does not answer.
pub async fn obstacle(pool: &PgPool) -> Result<Option<WriteObstacle>> {
    let mut transaction = pool.begin().await?;
    let tried = write(&mut transaction).await;
    transaction.rollback().await?;
    match tried {
        Ok(()) => waiting(pool).await,
        Err(error) => refused(pool, error).await.map(Some),
    }
}

async fn write(transaction: &mut PgTransaction<'static>) -> sqlx::Result<()> {
    sqlx::query!("INSERT INTO shard_cursors (chain_id) VALUES ($1)", i64::MIN)
        .execute(&mut **transaction)
        .await?;
    sqlx::query!("UPDATE jobs SET pushed_at = pushed_at WHERE false")
        .execute(&mut **transaction)
        .await?;
    sqlx::query!("UPDATE action_results SET invalidated = invalidated WHERE false")
        .execute(&mut **transaction)
        .await?;
    Ok(())
}

async fn refused(pool: &PgPool, error: sqlx::Error) -> Result<WriteObstacle> {
    let Some(refusal) = error.as_database_error() else { return Err(error.into()) };
    let says = refusal.message().to_owned();
    Ok(match refusal.code().unwrap_or_default().as_ref() {
        "25006" => read_only(pool).await?,
        "42501" => WriteObstacle::Rights(says),
        "53100" => WriteObstacle::DiskFull(says),
        code => WriteObstacle::Other(format!("{code}: {says}")),
    })
}

async fn read_only(pool: &PgPool) -> Result<WriteObstacle> {
    let found = sqlx::query!(
        r#"SELECT pg_is_in_recovery() AS "is_standby!", source AS "source!"
           FROM pg_settings WHERE name = 'default_transaction_read_only'"#
    )
    .fetch_one(pool)
    .await?;
    if found.is_standby {
        return Ok(WriteObstacle::Standby);
    }
    Ok(WriteObstacle::ReadOnly(found.source))
}

/// Commits are known to wait if one does, or if this role may see that no standby is there.
async fn waiting(pool: &PgPool) -> Result<Option<WriteObstacle>> {
    let found = sqlx::query!(
        r#"SELECT current_setting('synchronous_standby_names') AS "names!",
                  EXISTS (SELECT FROM pg_stat_activity
                          WHERE wait_event = 'SyncRep'
                            AND query_start < clock_timestamp() - make_interval(secs => $1))
                  OR pg_has_role('pg_read_all_stats', 'USAGE')
                     AND current_setting('synchronous_commit') NOT IN ('off', 'local')
                     AND NOT EXISTS (SELECT FROM pg_stat_replication
                                     WHERE sync_state IN ('sync', 'quorum')) AS "is_alone!""#,
        COMMIT_SECONDS_MAX
    )
    .fetch_one(pool)
    .await?;
    let waits = !found.names.is_empty() && found.is_alone;
    Ok(waits.then_some(WriteObstacle::NoStandby(found.names)))
}
