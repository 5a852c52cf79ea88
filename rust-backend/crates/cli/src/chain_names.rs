//! Chains by name.

use anyhow::Result;
use service::config::Settings;
use service::process::Refused;

/// The id of a chain that is named by its id or by its name in the configuration.
pub(crate) fn id(settings: &Settings, text: &str) -> Result<i64> {
    if let Ok(id) = text.parse() {
        return Ok(id);
    }
    settings.chain_ids().get(text).copied().ok_or_else(|| {
        Refused::new(format!("--chain: no chain named {text:?} is configured")).into()
    })
}
