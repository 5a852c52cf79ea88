//! Actions, checked before they are stored: only their sender can tell whether it would send them.

use action_worker::sending::destination::DestinationPolicy;
use action_worker::sending::signer::Signer;
use anyhow::Result;
use event_engine::trigger::action::{ActionConfig, SecretSource};
use service::config::{ConfigError, Settings};
use url::Url;

/// The check of an action's configuration, by the destinations that the settings allow.
pub(crate) fn action_check(
    settings: &Settings,
) -> Result<impl Fn(&ActionConfig) -> Result<(), String> + use<>> {
    let policy = DestinationPolicy::from_allow_list(&settings.allow_private_destinations.join(","))
        .map_err(|error| {
            let variable = "AGENTAURI_ALLOW_PRIVATE_DESTINATIONS";
            ConfigError::variable(variable, error.to_string())
        })?;
    Ok(move |config: &ActionConfig| {
        let ActionConfig::Webhook { url, secret } = config;
        let url = Url::parse(url).map_err(|error| format!("url: {error}"))?;
        policy.check_url(&url).map_err(|refusal| format!("url: {refusal}"))?;
        if let SecretSource::Inline(text) = secret {
            Signer::from_secrets(text).map_err(|error| format!("secret: {error}"))?;
        }
        Ok(())
    })
}
