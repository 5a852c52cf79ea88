//! The configuration of an action as its account wrote it. Only its kind knows the meaning of the
//! keys, so each scalar keeps its text: `0x1f`, `010` and `no` stay as written.

use std::fmt;

use serde::ser::SerializeMap as _;
use serde::{Deserialize, Serialize, Serializer};
use serde_json::Value;

/// A place in a document. Lines and columns count from 1; 0 is unknown, as in stored values.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TextPlace {
    /// The line.
    pub line: u64,
    /// The column, in characters.
    pub column: u64,
}

/// A value and its place. Equal to any other that says the same, wherever it stands.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "Value")]
pub struct ConfigNode {
    /// The place.
    pub at: TextPlace,
    /// The value.
    pub value: ConfigValue,
}

/// A value as it is written.
#[derive(Clone, PartialEq, Eq)]
pub enum ConfigValue {
    /// The text of a scalar.
    Text(String),
    /// A list.
    List(Vec<ConfigNode>),
    /// A table, in the order of the document.
    Table(Vec<ConfigEntry>),
}

/// A key of a table and its value.
#[derive(Clone, Debug)]
pub struct ConfigEntry {
    /// The key.
    pub key: String,
    /// The key's place.
    pub key_at: TextPlace,
    /// The value.
    pub node: ConfigNode,
}

/// Shows no text: it may be a secret.
impl fmt::Debug for ConfigValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => write!(f, "Text({} bytes)", text.len()),
            Self::List(nodes) => f.debug_list().entries(nodes).finish(),
            Self::Table(entries) => f.debug_list().entries(entries).finish(),
        }
    }
}

impl ConfigNode {
    /// A text of unknown place.
    pub fn text(text: impl Into<String>) -> Self {
        Self { at: TextPlace::default(), value: ConfigValue::Text(text.into()) }
    }

    /// A table of unknown place.
    pub fn table<const N: usize>(entries: [(&str, Self); N]) -> Self {
        let entries = entries.map(|(key, node)| ConfigEntry::new(key.to_owned(), node));
        Self { at: TextPlace::default(), value: ConfigValue::Table(entries.into()) }
    }

    /// The text, if it is a scalar.
    pub fn as_text(&self) -> Option<&str> {
        match &self.value {
            ConfigValue::Text(text) => Some(text),
            ConfigValue::List(_) | ConfigValue::Table(_) => None,
        }
    }

    /// The value of a key, if it is a table that has the key.
    pub fn get(&self, key: &str) -> Option<&Self> {
        let ConfigValue::Table(entries) = &self.value else { return None };
        entries.iter().find(|entry| entry.key == key).map(|entry| &entry.node)
    }
}

impl ConfigEntry {
    fn new(key: String, node: ConfigNode) -> Self {
        Self { key, key_at: TextPlace::default(), node }
    }
}

impl PartialEq for ConfigNode {
    fn eq(&self, other: &Self) -> bool {
        self.value == other.value
    }
}

impl Eq for ConfigNode {}

impl PartialEq for ConfigEntry {
    fn eq(&self, other: &Self) -> bool {
        (&self.key, &self.node) == (&other.key, &other.node)
    }
}

impl Eq for ConfigEntry {}

/// As it is stored: JSON in which every scalar is a string.
impl Serialize for ConfigNode {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &self.value {
            ConfigValue::Text(text) => serializer.serialize_str(text),
            ConfigValue::List(nodes) => serializer.collect_seq(nodes),
            ConfigValue::Table(entries) => {
                let mut table = serializer.serialize_map(Some(entries.len()))?;
                for entry in entries {
                    table.serialize_entry(&entry.key, &entry.node)?;
                }
                table.end()
            }
        }
    }
}

/// Reads a stored configuration. A number or a boolean, which only a change by hand leaves there,
/// is read as its text; null is refused.
impl TryFrom<Value> for ConfigNode {
    type Error = &'static str;

    fn try_from(stored: Value) -> Result<Self, Self::Error> {
        let value = match stored {
            Value::Null => return Err("expected a text, a list or a table, found null"),
            Value::Bool(flag) => ConfigValue::Text(flag.to_string()),
            Value::Number(number) => ConfigValue::Text(number.to_string()),
            Value::String(text) => ConfigValue::Text(text),
            Value::Array(list) => {
                let list = list.into_iter().map(Self::try_from);
                ConfigValue::List(list.collect::<Result<_, _>>()?)
            }
            Value::Object(table) => {
                let entry = |(key, value)| Ok(ConfigEntry::new(key, Self::try_from(value)?));
                ConfigValue::Table(
                    table.into_iter().map(entry).collect::<Result<_, Self::Error>>()?,
                )
            }
        };
        Ok(Self { at: TextPlace::default(), value })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_configuration_shows_no_text_in_debug() {
        let node = ConfigNode::table([("secret", ConfigNode::text("whsec_hunter2"))]);
        let shown = format!("{node:?}");
        assert!(shown.contains("secret") && !shown.contains("hunter2"), "{shown}");
    }
}
