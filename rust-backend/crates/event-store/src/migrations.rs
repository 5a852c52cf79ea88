//! The schema, embedded in the binary.

mod turn;

use std::sync::LazyLock;

use sqlx::PgPool;
use sqlx::migrate::Migrator;

use self::turn::Turn;
use crate::Result;

/// Without sqlx's lock, which is anybody's: [`Turn`] is ours.
static MIGRATOR: LazyLock<Migrator> = LazyLock::new(|| {
    let mut migrator = sqlx::migrate!("../../../database/migrations");
    migrator.set_locking(false);
    migrator
});

/// Brings the schema up to date. Safe to call from many processes at once and again at any time.
pub async fn migrate(pool: &PgPool) -> Result<()> {
    if missing(pool).await? == 0 {
        // Only compares what is applied.
        MIGRATOR.run(pool).await?;
        return Ok(());
    }
    let turn = Turn::take(pool).await?;
    let migrated = MIGRATOR.run(pool).await;
    turn.end().await?;
    Ok(migrated?)
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
