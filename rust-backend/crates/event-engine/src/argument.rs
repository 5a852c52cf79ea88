//! One decoded argument, as a condition compares it.

use serde_json::value::RawValue;

/// The value of a JSON field. Numbers keep their text: a float would lose what an `int128` says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Argument {
    /// A string, also one that spells a number wider than 32 bits.
    Text(String),
    /// A number as it was written.
    Number(String),
    /// `true` or `false`.
    Flag(bool),
    /// `null`, an array or an object: nothing that compares.
    Opaque,
}

impl Argument {
    pub(crate) fn from_raw(raw: &RawValue) -> Self {
        let text = raw.get();
        match text.as_bytes().first() {
            Some(b'"') => {
                serde_json::from_str(text).map_or(Self::Opaque, |text: String| Self::Text(text))
            }
            Some(b't') => Self::Flag(true),
            Some(b'f') => Self::Flag(false),
            Some(b'-' | b'0'..=b'9') => Self::Number(text.to_owned()),
            _ => Self::Opaque,
        }
    }
}
