//! From an action as it is written to its id, its kind and the kind's own keys.

use serde_saphyr::Spanned;

use super::check::identifier;
use super::form::{AnyNode, AnyValue};
use super::{TriggerFileError, place};
use crate::trigger::action::WrittenAction;
use crate::trigger::config::{ConfigEntry, ConfigNode, ConfigValue, TextPlace};

type Result<T> = std::result::Result<T, TriggerFileError>;

pub(super) fn read(form: AnyNode, document: &str) -> Result<WrittenAction> {
    let at = place(&form.0);
    let ConfigValue::Table(entries) = node(form, document)?.value else {
        return Err(TriggerFileError::at(at, "actions", "each is a table with a `type`"));
    };
    let (mut id, mut kind, mut own) = (None, None, Vec::new());
    for entry in entries {
        match entry.key.as_str() {
            "id" => id = Some(text(entry)?),
            "type" => kind = Some(text(entry)?),
            _ => own.push(entry),
        }
    }
    let Some((kind, kind_at)) = kind else {
        return Err(TriggerFileError::at(at, "type", "is missing; it names the kind of action"));
    };
    let id = match id {
        Some((id, id_at)) => {
            identifier("id", &id, id_at)?;
            Some(id)
        }
        None => None,
    };
    let config = ConfigNode { at, value: ConfigValue::Table(own) };
    Ok(WrittenAction { at, id, kind, kind_at, config })
}

fn text(entry: ConfigEntry) -> Result<(String, TextPlace)> {
    let at = entry.node.at;
    match entry.node.value {
        ConfigValue::Text(text) => Ok((text, at)),
        ConfigValue::List(_) | ConfigValue::Table(_) => {
            Err(TriggerFileError::at(at, &entry.key, "must be a text"))
        }
    }
}

fn node(AnyNode(form): AnyNode, document: &str) -> Result<ConfigNode> {
    let at = place(&form);
    let value = match form.value {
        AnyValue::Text(text) => ConfigValue::Text(text),
        AnyValue::Resolved => ConfigValue::Text(written(&form, document)?.to_owned()),
        AnyValue::List(list) => {
            let list = list.into_iter().map(|item| node(item, document));
            ConfigValue::List(list.collect::<Result<_>>()?)
        }
        AnyValue::Table(table) => {
            let table = table.into_iter().map(|(key, value)| {
                let (key_at, node) = (place(&key), node(value, document)?);
                Ok(ConfigEntry { key: key.value, key_at, node })
            });
            ConfigValue::Table(table.collect::<Result<_>>()?)
        }
    };
    Ok(ConfigNode { at, value })
}

/// The text of a scalar in the document: behind an alias, where its anchor is.
fn written<'d>(scalar: &Spanned<AnyValue>, document: &'d str) -> Result<&'d str> {
    let span = scalar.defined.span();
    let range = span.byte_offset().zip(span.byte_len()).and_then(|(offset, len)| {
        let offset = usize::try_from(offset).ok()?;
        Some(offset..offset.checked_add(usize::try_from(len).ok()?)?)
    });
    let text = range.and_then(|range| document.get(range)).map(str::trim_end);
    text.filter(|text| !text.is_empty()).ok_or_else(|| {
        let problem = "its text is not found in the document; put it in quotes";
        TriggerFileError::of_document(place(scalar), problem)
    })
}
