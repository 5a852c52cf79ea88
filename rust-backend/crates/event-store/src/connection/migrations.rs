//! The schema, embedded in the binary.

mod turn;

use std::sync::LazyLock;

use sqlx::PgPool;
use sqlx::migrate::{Migration, Migrator};

use self::turn::MigrationLock;
use crate::{Result, StoreError, Unfit};

/// Without sqlx's advisory lock, which any role may take: [`MigrationLock`] is ours. And without a
/// transaction for each migration: all of them are in one, so that a failure leaves no part.
static MIGRATOR: LazyLock<Migrator> = LazyLock::new(|| {
    let migrator = sqlx::migrate!("../../../database/migrations");
    let migrations = migrator.iter().map(|it| Migration { no_tx: true, ..it.clone() });
    let mut migrator = Migrator::with_migrations(migrations.collect());
    migrator.set_locking(false);
    migrator
});

/// Brings the schema up to date. Safe to call from many processes at once and again at any time.
///
/// # Errors
/// [`StoreError::OtherSchema`] or [`StoreError::Unfit`]; or a migration failed. The schema is then
/// as it was.
pub async fn migrate(pool: &PgPool) -> Result<()> {
    // Asked first: a migration that is missing below another version's would be applied.
    if missing(pool).await? == 0 {
        // Compares the applied ones only.
        MIGRATOR.run(pool).await?;
        return Ok(());
    }
    let turn = MigrationLock::take(pool).await?;
    let migrated = apply(pool).await;
    turn.end().await?;
    migrated?;
    // Where a superuser has migrated, the table that says so was held until now.
    sqlx::raw_sql("SELECT public.give_to_owner()").execute(pool).await?;
    Ok(())
}

async fn apply(pool: &PgPool) -> Result<()> {
    let mut transaction = pool.begin().await?;
    let patiently = "SET LOCAL idle_in_transaction_session_timeout = 0";
    sqlx::raw_sql(patiently).execute(&mut *transaction).await?;
    MIGRATOR.run(&mut *transaction).await?;
    transaction.commit().await?;
    Ok(())
}

/// Refuses a database that cannot hold our schema, before the first table is made. Of a database
/// that has our schema, only the encoding counts.
async fn refuse_unfit(pool: &PgPool, is_complete: bool) -> Result<()> {
    let found = sqlx::query!(
        r#"SELECT quote_ident(current_user) AS "role!",
                  current_setting('server_encoding') AS "encoding!",
                  n.oid IS NOT NULL AS "has_public!",
                  COALESCE(has_schema_privilege(n.oid, 'CREATE')
                           AND has_schema_privilege(n.oid, 'USAGE'), false) AS "may_create!"
           FROM (VALUES (to_regnamespace('public'))) AS n (oid)"#
    )
    .fetch_one(pool)
    .await?;
    let unfit = match found.encoding.as_str() {
        "UTF8" if is_complete || found.may_create => return Ok(()),
        "UTF8" if found.has_public => Unfit::NoRight(found.role),
        "UTF8" => Unfit::NoSchemaPublic(found.role),
        _ => Unfit::Encoding(found.encoding),
    };
    Err(StoreError::Unfit(unfit))
}

/// Refuses a stranger's table or view that would be taken for the migrator's own, before the first
/// migration can look. The stranger is not trusted with the schema but could create in it, as every
/// role could up to PostgreSQL 14: its triggers or functions would run with the migrating role's
/// rights.
async fn refuse_planted(pool: &PgPool) -> Result<()> {
    let owner = sqlx::query_scalar!(
        r#"SELECT r.rolname::text AS "owner!" FROM pg_class c
           JOIN pg_roles r ON r.oid = c.relowner
           JOIN pg_namespace n ON n.oid = c.relnamespace AND n.nspname = 'public'
           WHERE c.relname = '_sqlx_migrations' AND NOT r.rolsuper
             AND r.rolname NOT IN (current_user, session_user)
             AND r.oid NOT IN (n.nspowner, (SELECT datdba FROM pg_database
                                            WHERE datname = current_database()))
             AND NOT EXISTS (
                 SELECT FROM aclexplode(n.nspacl) AS a
                 WHERE a.grantee = r.oid AND a.privilege_type = 'CREATE')"#
    )
    .fetch_optional(pool)
    .await?;
    owner.map_or(Ok(()), |owner| Err(StoreError::Planted { owner }))
}

/// The number of migrations that the database lacks.
///
/// # Errors
/// [`StoreError::OtherSchema`] where its migrations are not ours; [`StoreError::Unfit`].
pub async fn missing(pool: &PgPool) -> Result<usize> {
    let missing = counted(pool).await?;
    refuse_unfit(pool, missing == 0).await?;
    Ok(missing)
}

async fn counted(pool: &PgPool) -> Result<usize> {
    refuse_planted(pool).await?;
    let known: bool =
        sqlx::query_scalar!(r#"SELECT to_regclass('_sqlx_migrations') IS NOT NULL AS "known!""#)
            .fetch_one(pool)
            .await?;
    if !known {
        return Ok(MIGRATOR.iter().count());
    }
    // Unchecked: the table is sqlx's, and not there yet where our queries are checked.
    let applied: Vec<(i64, Vec<u8>)> = sqlx::query_as(
        "SELECT version, checksum FROM _sqlx_migrations WHERE success ORDER BY version",
    )
    .fetch_all(pool)
    .await?;
    for (version, checksum) in &applied {
        let mut ours = MIGRATOR.iter().filter(|migration| migration.version == *version);
        if !ours.any(|migration| migration.checksum[..] == checksum[..]) {
            return Err(StoreError::OtherSchema { version: *version });
        }
    }
    Ok(MIGRATOR.iter().count() - applied.len())
}
