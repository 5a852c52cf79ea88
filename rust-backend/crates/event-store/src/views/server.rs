//! The server itself: which PostgreSQL it is, and whether its notifications arrive.

use std::time::Duration;

use sqlx::PgPool;
use sqlx::postgres::PgListener;

use crate::Result;

/// A version of PostgreSQL, and of its extension.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerVersion {
    /// As programs compare it: 150004.
    pub number: i32,
    /// As people write it.
    pub text: String,
    /// TimescaleDB's, where the database has it.
    pub timescaledb: Option<String>,
}

/// Reads the version.
pub async fn version(pool: &PgPool) -> Result<ServerVersion> {
    let version = sqlx::query_as!(
        ServerVersion,
        r#"SELECT current_setting('server_version_num')::integer AS "number!",
                  current_setting('server_version') AS "text!",
                  (SELECT extversion FROM pg_extension WHERE extname = 'timescaledb')
                      AS timescaledb"#,
    )
    .fetch_one(pool)
    .await?;
    Ok(version)
}

/// Listens and notifies through two connections, as the parts do. False if nothing has arrived
/// within the limit.
pub async fn notification_arrives(pool: &PgPool, limit: Duration) -> Result<bool> {
    let mut listener = PgListener::connect_with(pool).await?;
    listener.listen("agentauri_doctor").await?;
    sqlx::query!("SELECT pg_notify('agentauri_doctor', '')").execute(pool).await?;
    match tokio::time::timeout(limit, listener.recv()).await {
        Err(_) => Ok(false),
        Ok(received) => Ok(received.map(|_| true)?),
    }
}
