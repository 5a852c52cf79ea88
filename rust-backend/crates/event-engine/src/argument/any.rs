//! A reader of any JSON object, by a parser of all JSON.

use std::borrow::Cow;
use std::fmt;

use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer as _};
use serde_json::value::RawValue;

use super::{FIELDS_USUAL, Field, Fields, Part, ValueKind};

/// The fields of an object. `None` where the text is not a JSON object.
pub(super) fn fields(json: &str) -> Option<Fields> {
    let mut deserializer = serde_json::Deserializer::from_str(json);
    let fields = deserializer.deserialize_map(Object { json }).ok()?;
    deserializer.end().ok()?;
    Some(fields)
}

struct Object<'de> {
    json: &'de str,
}

impl<'de> Visitor<'de> for Object<'de> {
    type Value = Fields;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Fields, A::Error> {
        let Self { json } = self;
        let mut fields = Vec::with_capacity(FIELDS_USUAL);
        let mut spelled = String::new();
        while let Some((Name(name), raw)) = map.next_entry::<Name<'de>, &'de RawValue>()? {
            let name = match name {
                Cow::Borrowed(name) => place(name, json),
                Cow::Owned(name) => copy(&name, json, &mut spelled),
            };
            let (kind, value) = value(raw.get(), json, &mut spelled);
            fields.push(Field { name, value, kind });
        }
        Ok(Fields { fields, spelled })
    }
}

fn value(raw: &str, json: &str, spelled: &mut String) -> (ValueKind, Part) {
    let here = place(raw, json);
    match raw.as_bytes().first() {
        // A string without an escape is the text between its quotes.
        Some(b'"') if !raw.contains('\\') => {
            (ValueKind::Text, Part { start: here.start + 1, end: here.end - 1 })
        }
        Some(b'"') => match serde_json::from_str::<String>(raw) {
            Ok(text) => (ValueKind::Text, copy(&text, json, spelled)),
            Err(_) => (ValueKind::Opaque, here),
        },
        Some(b't') => (ValueKind::Flag(true), here),
        Some(b'f') => (ValueKind::Flag(false), here),
        Some(b'-' | b'0'..=b'9') => (ValueKind::Number, here),
        _ => (ValueKind::Opaque, here),
    }
}

/// A name, borrowed from the text unless it is spelled with an escape.
#[derive(Deserialize)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

/// The position in `json` of `part`, which the parser borrowed from it.
fn place(part: &str, json: &str) -> Part {
    let start = part.as_ptr().addr() - json.as_ptr().addr();
    Part::new(start, start + part.len())
}

/// Keeps an unescaped text: it is shorter than its source, so that all of them have room.
fn copy(text: &str, json: &str, spelled: &mut String) -> Part {
    let start = json.len() + spelled.len();
    spelled.push_str(text);
    Part::new(start, start + text.len())
}
