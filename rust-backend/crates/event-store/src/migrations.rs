//! The schema, embedded in the binary.

use sqlx::PgPool;
use sqlx::migrate::Migrator;

use crate::Result;

static MIGRATOR: Migrator = sqlx::migrate!("../../../database/migrations");

/// Brings the schema up to date. Safe to call from many processes at once and again at any time.
pub async fn migrate(pool: &PgPool) -> Result<()> {
    MIGRATOR.run(pool).await?;
    Ok(())
}

/// How many migrations the database lacks.
pub async fn missing(pool: &PgPool) -> Result<usize> {
    let known: bool =
        sqlx::query_scalar!(r#"SELECT to_regclass('_sqlx_migrations') IS NOT NULL AS "known!""#)
            .fetch_one(pool)
            .await?;
    if !known {
        return Ok(MIGRATOR.iter().count());
    }
    // Unchecked: the table is sqlx's, and not there yet where our queries are checked.
    let applied: Vec<i64> =
        sqlx::query_scalar("SELECT version FROM _sqlx_migrations WHERE success")
            .fetch_all(pool)
            .await?;
    Ok(MIGRATOR.iter().filter(|migration| !applied.contains(&migration.version)).count())
}
