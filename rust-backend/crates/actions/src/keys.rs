//! Reads a table key by key and refuses the rest.

use event_engine::trigger::config::{ConfigEntry, ConfigNode, ConfigValue};

use crate::kind::ConfigRefusal;

/// The keys of an action that are its kind's own.
#[derive(Debug)]
pub struct ConfigKeys<'c> {
    kind: &'static str,
    entries: &'c [ConfigEntry],
    known: Vec<&'static str>,
}

impl<'c> ConfigKeys<'c> {
    /// The keys of a configuration of `kind`.
    pub(crate) fn of(kind: &'static str, config: &'c ConfigNode) -> Result<Self, ConfigRefusal> {
        match &config.value {
            ConfigValue::Table(entries) => Ok(Self { kind, entries, known: Vec::new() }),
            ConfigValue::Text(_) | ConfigValue::List(_) => {
                Err(ConfigRefusal::of("type", format!("a {kind} is a table of keys")))
            }
        }
    }

    /// The value of a key that may be missing.
    pub fn optional(&mut self, key: &'static str) -> Option<&'c ConfigNode> {
        self.known.push(key);
        self.entries.iter().find(|entry| entry.key == key).map(|entry| &entry.node)
    }

    /// The value of a key that must be there; if it is missing, `remedy` says why.
    pub fn required(
        &mut self,
        key: &'static str,
        remedy: &str,
    ) -> Result<&'c ConfigNode, ConfigRefusal> {
        let missing = || ConfigRefusal::of(key, format!("is missing; {remedy}"));
        self.optional(key).ok_or_else(missing)
    }

    /// Refuses the first key that was not asked for.
    pub(crate) fn end(self) -> Result<(), ConfigRefusal> {
        let is_unknown = |entry: &&ConfigEntry| !self.known.contains(&entry.key.as_str());
        let Some(unknown) = self.entries.iter().find(is_unknown) else { return Ok(()) };
        let (kind, known) = (self.kind, self.known.join("`, `"));
        let problem = if self.known.is_empty() {
            format!("is unknown; {kind} has no keys of its own")
        } else {
            format!("is unknown; the keys of {kind} are `{known}`")
        };
        Err(ConfigRefusal::of_key(&unknown.key, unknown.key_at, problem))
    }
}

/// The text of a value of `key`. Fails if it is a list, a table, empty or too long.
pub fn text<'c>(
    key: &str,
    node: &'c ConfigNode,
    bytes_max: usize,
) -> Result<&'c str, ConfigRefusal> {
    match node.as_text() {
        Some(text) if (1..=bytes_max).contains(&text.len()) => Ok(text),
        Some(_) => Err(ConfigRefusal::of(key, format!("must be 1 to {bytes_max} bytes"))),
        None => Err(ConfigRefusal::of(key, "must be a text")),
    }
}
