//! The database that a command works on.

use anyhow::Result;
use event_store::{PgPool, StoreError};
use service::config::{ConfigError, Settings};

/// Connections of a command that only looks.
const CONNECTIONS: u32 = 2;

/// Brings the schema up to date.
pub(crate) async fn migrate(settings: &Settings) -> Result<()> {
    let pool = connect(settings).await?;
    event_store::connection::migrations::migrate(&pool).await.map_err(unusable)
}

/// The database, if it has the schema: a command that looks changes nothing.
pub(crate) async fn migrated(settings: &Settings) -> Result<PgPool> {
    let pool = connect(settings).await?;
    let missing = event_store::connection::migrations::missing(&pool).await.map_err(unusable)?;
    if missing > 0 {
        let problem = format!("the database lacks {missing} migrations: agentauri migrate");
        return Err(ConfigError::variable("DATABASE_URL", problem).into());
    }
    Ok(pool)
}

async fn connect(settings: &Settings) -> Result<PgPool> {
    let pool = event_store::connect(settings.database_url()?, "agentauri", CONNECTIONS)
        .await
        .map_err(|error| ConfigError::variable("DATABASE_URL", error.to_string()))?;
    Ok(pool)
}

/// Another version's schema is no failure that passes: another database has to be named.
fn unusable(error: StoreError) -> anyhow::Error {
    match error {
        StoreError::OtherSchema { .. } => {
            ConfigError::variable("DATABASE_URL", error.to_string()).into()
        }
        other => other.into(),
    }
}
