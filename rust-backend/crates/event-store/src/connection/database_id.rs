//! The database's identity, by which installations that share another server keep apart.

use sqlx::PgPool;

use super::pool::answered;
use crate::Result;

/// Identifies the database among all others: its cluster's identifier and its own number there. It
/// stays through restarts and failovers. A copy of a database has another one, unless all of its
/// cluster was copied; after `pg_upgrade` it is another, too.
///
/// # Errors
/// PostgreSQL's.
pub async fn database_id(pool: &PgPool) -> Result<String> {
    let found = async {
        Ok(sqlx::query_scalar!(
            r#"SELECT format('%s-%s', s.system_identifier, d.oid) AS "id!"
               FROM pg_control_system() s, pg_database d
               WHERE d.datname = current_database()"#
        )
        .fetch_one(pool)
        .await?)
    };
    answered(found).await
}
