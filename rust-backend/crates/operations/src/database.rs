//! The database that operations work on, with its schema.

use event_store::connection::migrations;
use event_store::{PgPool, StoreError};
use service::config::{ConfigError, Settings};

/// Why the database cannot be worked on.
#[derive(Debug, thiserror::Error)]
pub enum DatabaseError {
    /// Another database has to be named, or this one migrated: no failure that passes.
    #[error("{0}")]
    Config(#[from] ConfigError),
    /// It does not answer as it should. Try again later.
    #[error("{0}")]
    Store(#[source] StoreError),
}

impl From<StoreError> for DatabaseError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::OtherSchema { .. } | StoreError::Unfit(_) | StoreError::ReadOnly { .. } => {
                ConfigError::variable("DATABASE_URL", error.to_string()).into()
            }
            other => Self::Store(other),
        }
    }
}

/// Brings the schema up to date.
pub async fn migrate(settings: &Settings) -> Result<(), DatabaseError> {
    let pool = connect(settings, "agentauri", 1).await?;
    Ok(migrations::migrate(&pool).await?)
}

/// Connects to a database that has the schema, and changes nothing: it is refused where a migration
/// is missing.
pub async fn migrated(
    settings: &Settings,
    application: &str,
    connections_max: u32,
) -> Result<PgPool, DatabaseError> {
    let pool = connect(settings, application, connections_max).await?;
    let missing = migrations::missing(&pool).await?;
    if missing > 0 {
        let problem = format!("{missing} migrations are missing: run agentauri migrate");
        return Err(ConfigError::variable("DATABASE_URL", problem).into());
    }
    Ok(pool)
}

async fn connect(
    settings: &Settings,
    application: &str,
    connections_max: u32,
) -> Result<PgPool, DatabaseError> {
    let pool = event_store::connect(settings.database_url()?, application, connections_max).await;
    Ok(pool.map_err(|error| ConfigError::variable("DATABASE_URL", error.to_string()))?)
}
