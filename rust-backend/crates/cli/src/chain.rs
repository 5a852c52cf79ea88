//! The chain of a command that reads one.

use anyhow::Result;
use chain_indexer::{ChainSettings, IndexerError};
use service::config::Settings;
use service::process::Refused;

/// The configured chain of this name or id, which the option or argument `typed` gives.
pub(crate) fn configured(settings: &Settings, typed: &str, named: &str) -> Result<ChainSettings> {
    let is_named = |chain: &&ChainSettings| chain.name == named || chain.id.to_string() == named;
    let found = settings.chains.iter().find(is_named).cloned();
    let problem = || Refused::new(format!("{typed}: no chain named {named:?} is configured"));
    Ok(found.ok_or_else(problem)?)
}

/// The error with which the command ends: the command or the configuration is refused, or else the
/// reading failed.
pub(crate) fn ended(error: IndexerError) -> anyhow::Error {
    match error {
        IndexerError::Settings { .. }
        | IndexerError::Unset { .. }
        | IndexerError::WrongChain { .. } => Refused::new(error.to_string()).into(),
        error => error.into(),
    }
}
