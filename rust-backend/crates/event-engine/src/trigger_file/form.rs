//! The forms of values: tables of known keys, lists, texts.

use super::{Result, TriggerFileError, refuse};
use crate::event::spelling::proposal;
use crate::trigger::config::{ConfigNode, ConfigValue};

/// The values of the known keys of a table, each where its key stands in `known`. `of` names the
/// table in a refusal.
pub(super) fn keys<const N: usize>(
    table: ConfigNode,
    of: &str,
    known: [&'static str; N],
) -> Result<[Option<ConfigNode>; N]> {
    let mut values = [const { None }; N];
    let ConfigValue::Table(entries) = table.value else {
        let problem = format!("{of} is a table of keys, as in `{}: …`", known[0]);
        return Err(TriggerFileError::of_document(table.at, problem));
    };
    for entry in entries {
        let Some(place) = known.iter().position(|key| *key == entry.key) else {
            let meant = proposal(&entry.key, known, &format!("the keys of {of} are"));
            let problem = format!("is unknown{meant}");
            return Err(TriggerFileError::at(entry.key_at, &entry.key, problem));
        };
        values[place] = Some(entry.node);
    }
    Ok(values)
}

/// The values of a list that is not empty.
pub(super) fn list(key: &str, node: ConfigNode) -> Result<Vec<ConfigNode>> {
    match node.value {
        ConfigValue::List(values) if values.is_empty() => {
            Err(TriggerFileError::at(node.at, key, "an empty list; leave it out to mean all"))
        }
        ConfigValue::List(values) => Ok(values),
        ConfigValue::Text(_) | ConfigValue::Table(_) => {
            let problem = "must be a list: put its values in brackets, as in [a, b]";
            Err(TriggerFileError::at(node.at, key, problem))
        }
    }
}

/// The text of a scalar, as it is written.
pub(super) fn text<'n>(key: &str, node: &'n ConfigNode) -> Result<&'n str> {
    let found = match &node.value {
        ConfigValue::Text(text) => return Ok(text),
        ConfigValue::List(_) => "list",
        ConfigValue::Table(_) => "table",
    };
    Err(refuse(node, key, format!("must be a text, and is a {found}")))
}

/// A text of 1 to so many bytes.
pub(super) fn bounded(key: &str, node: &ConfigNode, bytes_max: usize) -> Result<String> {
    let text = text(key, node)?;
    if (1..=bytes_max).contains(&text.len()) {
        return Ok(text.to_owned());
    }
    Err(refuse(node, key, format!("must be 1 to {bytes_max} bytes")))
}

/// `true` or `false`; a missing value is false.
pub(super) fn flag(key: &str, node: Option<&ConfigNode>) -> Result<bool> {
    let Some(node) = node else { return Ok(false) };
    match text(key, node)? {
        "true" => Ok(true),
        "false" => Ok(false),
        other => Err(refuse(node, key, format!("{other:?} is neither `true` nor `false`"))),
    }
}

/// A whole number from 0. Without a leading zero: it would be octal to some.
pub(super) fn whole_number(text: &str) -> Option<std::result::Result<i64, String>> {
    if text.is_empty() || !text.bytes().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    let shortest = text.trim_start_matches('0');
    if text != "0" && shortest.len() < text.len() {
        let meant = if shortest.is_empty() { "0" } else { shortest };
        return Some(Err(format!(
            "{text} begins with a zero, which is octal to some; write {meant}"
        )));
    }
    Some(text.parse().map_err(|_| format!("{text} is too large")))
}
