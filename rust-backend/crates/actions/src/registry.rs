//! Kinds by their names.

use event_engine::trigger::action::{ActionSpec, WrittenAction, default_id};
use event_engine::trigger::config::ConfigNode;
use event_engine::trigger_file::TriggerFileError;

use crate::KINDS;
use crate::keys::ConfigKeys;
use crate::kind::{ConfigRefusal, Destination, Kind};
use crate::policy::DestinationPolicy;
use crate::secret::SecretPlace;

/// The kinds that are announced, so that a refusal can say so.
const NOT_BUILT: [&str; 7] = ["email", "slack", "discord", "telegram", "chat", "mcp", "tool_call"];

/// A kind without its types.
pub(crate) trait Registered {
    fn name(&self) -> &'static str;
    fn check(&self, config: &ConfigNode, policy: &DestinationPolicy) -> Result<(), ConfigRefusal>;
    fn destination(&self, config: &ConfigNode) -> Result<Destination, ConfigRefusal>;
    fn describe(&self, config: &ConfigNode) -> Result<Description, ConfigRefusal>;
    fn secrets(&self, config: &ConfigNode) -> Result<Vec<SecretPlace>, ConfigRefusal>;
}

impl<K: Kind> Registered for K {
    fn name(&self) -> &'static str {
        K::NAME
    }

    fn check(&self, config: &ConfigNode, policy: &DestinationPolicy) -> Result<(), ConfigRefusal> {
        K::check(&read::<K>(config)?, policy)
    }

    fn destination(&self, config: &ConfigNode) -> Result<Destination, ConfigRefusal> {
        Ok(K::destination(&read::<K>(config)?))
    }

    fn describe(&self, config: &ConfigNode) -> Result<Description, ConfigRefusal> {
        let config = read::<K>(config)?;
        let secrets = K::secrets(&config).iter().map(ToString::to_string).collect();
        let (destination, named_by) = (K::destination(&config), K::named_by(&config));
        Ok(Description { destination, named_by, secrets })
    }

    fn secrets(&self, config: &ConfigNode) -> Result<Vec<SecretPlace>, ConfigRefusal> {
        let config = read::<K>(config)?;
        Ok(K::secrets(&config).into_iter().map(|need| need.place.clone()).collect())
    }
}

/// An action as it is shown to its account: no secret is in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Description {
    /// Its destination.
    pub destination: Destination,
    /// The text that tells it from other actions, to be shown as its destination's address is.
    pub named_by: String,
    /// The places of its secrets.
    pub secrets: Vec<String>,
}

/// Reads a configuration as its kind does. Fails if a key is missing, unknown or has a wrong value.
pub fn read<K: Kind>(config: &ConfigNode) -> Result<K::Config, ConfigRefusal> {
    let mut keys = ConfigKeys::of(K::NAME, config)?;
    let typed = K::read(&mut keys)?;
    keys.end()?;
    Ok(typed)
}

/// Has its kind check an action, and names it by its destination where its account gave no id.
///
/// # Errors
/// Its kind is unknown or refuses it, with the place in the document.
pub fn check(
    action: WrittenAction,
    policy: &DestinationPolicy,
) -> Result<ActionSpec, TriggerFileError> {
    let WrittenAction { id, kind, kind_at, terms, config, .. } = action;
    let placed = |refusal: ConfigRefusal| refusal.in_document(&config);
    let of_kind =
        named(&kind).map_err(|refusal| placed(ConfigRefusal { at: Some(kind_at), ..refusal }))?;
    of_kind.check(&config, policy).map_err(placed)?;
    let Description { destination, named_by, .. } = of_kind.describe(&config).map_err(placed)?;
    let id = id.unwrap_or_else(|| default_id(&kind, &named_by));
    Ok(ActionSpec { id, kind, terms, destination, config })
}

/// The destination of a stored action. Fails if its kind is unknown or refuses it.
pub fn destination(kind: &str, config: &ConfigNode) -> Result<Destination, ConfigRefusal> {
    named(kind)?.destination(config)
}

/// Describes a stored action. Fails if its kind is unknown or refuses it.
pub fn describe(kind: &str, config: &ConfigNode) -> Result<Description, ConfigRefusal> {
    named(kind)?.describe(config)
}

/// The places of an action's secrets. Fails if its kind is unknown or refuses it.
pub fn secrets(kind: &str, config: &ConfigNode) -> Result<Vec<SecretPlace>, ConfigRefusal> {
    named(kind)?.secrets(config)
}

/// The names of all kinds.
pub fn names() -> impl Iterator<Item = &'static str> {
    KINDS.iter().map(|kind| kind.name())
}

fn named(kind: &str) -> Result<&'static dyn Registered, ConfigRefusal> {
    KINDS.iter().copied().find(|known| known.name() == kind).ok_or_else(|| {
        let problem = if NOT_BUILT.contains(&kind) {
            format!("`{kind}` is not built yet")
        } else {
            let known: Vec<String> = names().map(|name| format!("`{name}`")).collect();
            format!("{kind:?} is unknown; it is {}", known.join(" or "))
        };
        ConfigRefusal::of("type", problem)
    })
}
