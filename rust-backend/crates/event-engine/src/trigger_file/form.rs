//! The document as it is written, before anything in it is believed.

use std::fmt;

use serde::de::{self, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_saphyr::Spanned;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct File {
    pub(super) version: Spanned<u64>,
    pub(super) triggers: Vec<Spanned<TriggerForm>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TriggerForm {
    pub(super) name: Spanned<String>,
    pub(super) chains: Option<Spanned<Vec<Spanned<NumberOrText>>>>,
    pub(super) registry: Option<Spanned<String>>,
    pub(super) events: Option<Spanned<Vec<Spanned<String>>>>,
    pub(super) agents: Option<Spanned<Vec<Spanned<String>>>>,
    pub(super) when: Option<Spanned<String>>,
    pub(super) since: Option<Spanned<String>>,
    pub(super) finality: Option<Spanned<NumberOrText>>,
    pub(super) cooldown: Option<Spanned<String>>,
    pub(super) group_by: Option<Spanned<String>>,
    #[serde(default)]
    pub(super) match_all: bool,
    pub(super) actions: Spanned<Vec<AnyNode>>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(super) enum NumberOrText {
    Number(i64),
    Text(String),
}

/// Anything, with its place.
#[derive(Debug)]
pub(super) struct AnyNode(pub(super) Spanned<AnyValue>);

#[derive(Debug)]
pub(super) enum AnyValue {
    Text(String),
    /// A scalar that YAML takes for a number or a boolean; its text stands in the document.
    Resolved,
    List(Vec<AnyNode>),
    Table(Vec<(Spanned<String>, AnyNode)>),
}

impl<'de> Deserialize<'de> for AnyNode {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Spanned::deserialize(deserializer).map(Self)
    }
}

impl<'de> Deserialize<'de> for AnyValue {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AnyVisitor)
    }
}

struct AnyVisitor;

impl<'de> Visitor<'de> for AnyVisitor {
    type Value = AnyValue;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value, a list or a table")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<AnyValue, E> {
        Ok(AnyValue::Text(text.to_owned()))
    }

    fn visit_bool<E: de::Error>(self, _: bool) -> Result<AnyValue, E> {
        Ok(AnyValue::Resolved)
    }

    fn visit_i64<E: de::Error>(self, _: i64) -> Result<AnyValue, E> {
        Ok(AnyValue::Resolved)
    }

    fn visit_u64<E: de::Error>(self, _: u64) -> Result<AnyValue, E> {
        Ok(AnyValue::Resolved)
    }

    fn visit_f64<E: de::Error>(self, _: f64) -> Result<AnyValue, E> {
        Ok(AnyValue::Resolved)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<AnyValue, A::Error> {
        let mut nodes = Vec::new();
        while let Some(node) = list.next_element()? {
            nodes.push(node);
        }
        Ok(AnyValue::List(nodes))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut table: A) -> Result<AnyValue, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = table.next_entry()? {
            entries.push(entry);
        }
        Ok(AnyValue::Table(entries))
    }
}
