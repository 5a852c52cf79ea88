//! A reader of any JSON object, by a parser of all JSON.

use std::fmt;

use serde::Deserializer as _;
use serde::de::{DeserializeSeed, MapAccess, Visitor};
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
        while let Some(name) = map.next_key_seed(NameSeed { json, spelled: &mut spelled })? {
            let raw: &'de RawValue = map.next_value()?;
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

struct NameSeed<'de, 's> {
    json: &'de str,
    spelled: &'s mut String,
}

impl<'de> DeserializeSeed<'de> for NameSeed<'de, '_> {
    type Value = Part;

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<Part, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for NameSeed<'de, '_> {
    type Value = Part;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name")
    }

    fn visit_borrowed_str<E>(self, name: &'de str) -> Result<Part, E> {
        Ok(place(name, self.json))
    }

    fn visit_str<E>(self, name: &str) -> Result<Part, E> {
        Ok(copy(name, self.json, self.spelled))
    }
}

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
