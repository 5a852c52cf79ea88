//! The turn to migrate: a lock on the table that records the applied migrations.
//!
//! sqlx would take an advisory lock, which any role may take: every process that starts would wait
//! for a stranger. This one asks for a right on the table. It takes no transaction id.

use std::time::Duration;

use sqlx::migrate::{Migrate as _, MigrateError};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection, PgPool};

use crate::connection::settings;
use crate::{Result, StoreError};

/// sqlx's, in which each applied migration has a row.
const TABLE: &str = "_sqlx_migrations";
/// The time that another session may migrate before it is named.
const WAIT_MAX: Duration = Duration::from_mins(1);
/// Tries to make the table anew where others make it at the same time.
const TRIES_MAX: u32 = 10;

/// A turn lasts as long as its connection.
pub(super) struct MigrationLock {
    connection: PgConnection,
}

impl MigrationLock {
    /// Waits for the session that migrates now.
    ///
    /// # Errors
    /// [`StoreError::Migrating`] where that takes too long.
    pub(super) async fn take(pool: &PgPool) -> Result<Self> {
        let mut connection = settings::open(&pool.connect_options()).await?;
        make_table(&mut connection).await?;
        // The mode conflicts with itself, and with nothing that a migration does to the table:
        // give_to_owner() leaves it until it is free.
        let statements = format!(
            "BEGIN; SET LOCAL idle_in_transaction_session_timeout = 0;
             SET LOCAL lock_timeout = '{}s';
             LOCK TABLE {TABLE} IN SHARE UPDATE EXCLUSIVE MODE",
            WAIT_MAX.as_secs()
        );
        match sqlx::raw_sql(AssertSqlSafe(statements)).execute(&mut connection).await {
            Ok(_) => Ok(Self { connection }),
            Err(error) if code(&error).as_deref() == Some("55P03") => {
                sqlx::raw_sql("ROLLBACK").execute(&mut connection).await?;
                let holder = holder(&mut connection).await?;
                Err(StoreError::Migrating { holder, waited: WAIT_MAX })
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Leaves it to the next.
    pub(super) async fn end(self) -> Result<()> {
        self.connection.close().await?;
        Ok(())
    }
}

/// Makes sqlx's table. Where several do that at the same time, all but one fail, and find it there.
async fn make_table(connection: &mut PgConnection) -> Result<()> {
    let mut tries = 1;
    loop {
        match connection.ensure_migrations_table(TABLE).await {
            Err(MigrateError::Execute(error))
                if tries < TRIES_MAX
                    && matches!(code(&error).as_deref(), Some("23505" | "42P07" | "42710")) =>
            {
                tries += 1;
            }
            made => return Ok(made?),
        }
    }
}

async fn holder(connection: &mut PgConnection) -> Result<String> {
    // Unchecked: the table is sqlx's, and not there yet where our queries are checked.
    let holder: Option<String> = sqlx::query_scalar(
        "SELECT format('session %s of %s (%s)', a.pid, a.usename, a.application_name)
         FROM pg_locks l JOIN pg_stat_activity a USING (pid)
         WHERE l.locktype = 'relation' AND l.relation = '_sqlx_migrations'::regclass
           AND l.mode = 'ShareUpdateExclusiveLock' AND l.granted",
    )
    .fetch_optional(connection)
    .await?;
    Ok(holder.unwrap_or_else(|| "a session that has just ended".to_owned()))
}

fn code(error: &sqlx::Error) -> Option<String> {
    Some(error.as_database_error()?.code()?.into_owned())
}
