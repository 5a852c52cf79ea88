//! Checks the selectors of a trigger against the events of the known registries.

use super::form::{bounded, list};
use super::{Result, TriggerFileError, check, refuse};
use crate::condition::SelectedEvents;
use crate::event::shape::REGISTRIES;
use crate::event::spelling::nearest;
use crate::trigger::Selectors;
use crate::trigger::config::ConfigNode;

/// Bytes of a registry's name and of an event's that the store keeps.
const REGISTRY_BYTES_MAX: usize = 64;
const EVENT_BYTES_MAX: usize = 1_100;
/// The largest uint256.
const AGENT_MAX: &str =
    "115792089237316195423570985008687907853269984665640564039457584007913129639935";

/// Ends a refusal of a name that may be somebody's own.
const REMEDY: &str = "`unchecked: true` takes any name";

/// The selectors of a document.
pub(super) struct WrittenSelectors {
    pub(super) chains: Option<ConfigNode>,
    pub(super) registry: Option<ConfigNode>,
    pub(super) events: Option<ConfigNode>,
    pub(super) agents: Option<ConfigNode>,
}

/// Checked selectors.
pub(super) struct Selection {
    pub(super) selectors: Selectors,
    /// The selected events, where all of them are known.
    pub(super) events: Option<SelectedEvents>,
    /// Why events are not known.
    pub(super) warnings: Vec<TriggerFileError>,
}

/// Reads selectors. The events of foreign registries are not known, nor those of a trigger that is
/// not to be checked.
pub(super) fn read(
    written: WrittenSelectors,
    context: &check::Context<'_>,
    unchecked: bool,
) -> Result<Selection> {
    let WrittenSelectors { chains, registry, events, agents } = written;
    let mut warnings = Vec::new();
    let mut known = if unchecked { None } else { Some(SelectedEvents::of(None)) };
    let chains = each("chains", chains, |chain| check::chain_id(chain, context.chains))?;
    let registry = match registry {
        Some(node) => {
            let name = bounded("registry", &node, REGISTRY_BYTES_MAX)?;
            if known.is_some() {
                known = of_registry(&name, &node, &mut warnings)?;
            }
            Some(name)
        }
        None => None,
    };
    let has_registry = registry.is_some();
    let names = match events {
        Some(node) => {
            let nodes = list("events", node)?;
            let names = nodes.iter().map(|node| bounded("events", node, EVENT_BYTES_MAX));
            let names = names.collect::<Result<Vec<_>>>()?;
            known = known
                .map(|events| named(events, &names, &nodes, has_registry, &mut warnings))
                .transpose()?
                .flatten();
            names
        }
        None => Vec::new(),
    };
    if let (Some(known), Some(agents), false) = (&known, &agents, names.is_empty())
        && let Some(event) = known.without_agent()
    {
        let problem = format!("{event} has no agent: leave it out of `events`, or `agents`");
        return Err(refuse(agents, "agents", problem));
    }
    let agents = each("agents", agents, agent)?;
    let selectors = Selectors { chains, registry, events: names, agents };
    Ok(Selection { selectors, events: known, warnings })
}

/// The events of a registry. A name that is nearly a known name is refused, any other foreign
/// registry is warned of.
fn of_registry(
    name: &str,
    node: &ConfigNode,
    warnings: &mut Vec<TriggerFileError>,
) -> Result<Option<SelectedEvents>> {
    if REGISTRIES.contains(&name) {
        return Ok(Some(SelectedEvents::of(Some(name))));
    }
    if let Some(meant) = nearest(name, REGISTRIES) {
        let problem = format!("{name:?} is unknown; did you mean `{meant}`? {REMEDY}");
        return Err(refuse(node, "registry", problem));
    }
    let problem = format!(
        "{name:?} is none of `{}`: its events and their arguments are not checked",
        REGISTRIES.join("`, `")
    );
    warnings.push(refuse(node, "registry", problem));
    Ok(None)
}

/// The events of these names. Without a registry, a name that is near no known name may be a
/// foreign event's.
fn named(
    mut events: SelectedEvents,
    names: &[String],
    nodes: &[ConfigNode],
    has_registry: bool,
    warnings: &mut Vec<TriggerFileError>,
) -> Result<Option<SelectedEvents>> {
    let mut all_known = true;
    for (name, node) in names.iter().zip(nodes).filter(|(name, _)| !events.has_name(name)) {
        all_known = false;
        if let Some(meant) = nearest(name, events.names()) {
            let problem = format!("{name:?} is unknown; did you mean `{meant}`? {REMEDY}");
            return Err(refuse(node, "events", problem));
        }
        if has_registry {
            let elsewhere = REGISTRIES
                .into_iter()
                .find(|registry| SelectedEvents::of(Some(*registry)).has_name(name));
            let problem = match elsewhere {
                Some(registry) => format!("{name:?} is an event of the {registry} registry"),
                None => {
                    let known: Vec<&str> = events.names().collect();
                    let known = known.join("`, `");
                    format!("{name:?} is unknown; the events are `{known}`. {REMEDY}")
                }
            };
            return Err(refuse(node, "events", problem));
        }
        let problem = format!(
            "{name:?} is an event of no known registry: neither it nor its arguments are checked"
        );
        warnings.push(refuse(node, "events", problem));
    }
    events.retain(names);
    Ok(all_known.then_some(events))
}

fn each<T>(
    key: &str,
    values: Option<ConfigNode>,
    of: impl Fn(&ConfigNode) -> Result<T>,
) -> Result<Vec<T>> {
    let Some(values) = values else { return Ok(Vec::new()) };
    list(key, values)?.iter().map(of).collect()
}

fn agent(node: &ConfigNode) -> Result<String> {
    let text = super::form::text("agents", node)?;
    let digits = text.as_bytes();
    let canonical = digits.iter().all(u8::is_ascii_digit)
        && (1..=AGENT_MAX.len()).contains(&digits.len())
        && (digits.len() == 1 || digits[0] != b'0')
        && (digits.len() < AGENT_MAX.len() || text <= AGENT_MAX);
    if canonical {
        return Ok(text.to_owned());
    }
    let problem = format!("{text:?} is not a decimal number such as \"42\", a uint256");
    Err(refuse(node, "agents", problem))
}
