//! The database that a command works on.

use anyhow::Result;
use operations::{PgPool, database};
use service::config::Settings;

/// Connections of a command that only looks.
const CONNECTIONS: u32 = 2;

/// The database, if it has the schema: a command that looks changes nothing.
pub(crate) async fn migrated(settings: &Settings) -> Result<PgPool> {
    Ok(database::migrated(settings, "agentauri", CONNECTIONS).await?)
}
