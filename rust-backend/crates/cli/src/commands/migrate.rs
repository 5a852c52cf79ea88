//! `agentauri migrate`: the schema, brought up to date.

use anyhow::Result;
use service::config::Settings;

use operations::database;
use service::output;

pub(crate) async fn migrate(settings: &Settings) -> Result<()> {
    database::migrate(settings).await?;
    output::line("The schema is up to date.");
    Ok(())
}
