//! The one format of triggers, for files (YAML or JSON), the HTTP API and tests.
//!
//! A document with any problem is refused as a whole, with the line, the column and the key. The
//! keys of an action are handed on as they are written, for its kind to check.

mod check;
mod document;
#[cfg(test)]
mod drawn_tests;
mod form;
mod selection;

use std::collections::BTreeMap;
use std::fmt::Display;

use crate::trigger::TriggerSpec;
use crate::trigger::action::{ActionSpec, WrittenAction};
use crate::trigger::config::{ConfigNode, TextPlace};

/// The largest document, in bytes: about 50,000 triggers.
pub const DOCUMENT_BYTES_MAX: usize = 16 * 1024 * 1024;

/// A refusal of a document of triggers, or a warning about one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}{}{problem}", line_prefix(*line, *column), key_prefix(key.as_deref()))]
pub struct TriggerFileError {
    /// 1-based; 0 where the place is unknown.
    pub line: u64,
    /// 1-based, in characters; 0 where the place is unknown.
    pub column: u64,
    /// The key at fault; `None` where the document could not be read so far.
    pub key: Option<String>,
    /// The fault of its value.
    pub problem: String,
}

impl TriggerFileError {
    /// A refusal of the value of a key at a place.
    pub fn at(place: TextPlace, key: &str, problem: impl Display) -> Self {
        Self { key: Some(key.to_owned()), ..Self::of_document(place, problem) }
    }

    /// A refusal of the document, for which no single key is to blame.
    fn of_document(place: TextPlace, problem: impl Display) -> Self {
        Self { line: place.line, column: place.column, key: None, problem: problem.to_string() }
    }
}

/// A trigger whose actions are still to be checked by their kinds.
pub type WrittenTrigger = TriggerSpec<WrittenAction>;

/// The content of a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TriggerFile<A = ActionSpec> {
    /// Its triggers.
    pub triggers: Vec<TriggerSpec<A>>,
    /// Parts of it that could not be checked, or have no effect.
    pub warnings: Vec<TriggerFileError>,
}

type Result<T, E = TriggerFileError> = std::result::Result<T, E>;

/// Reads a document of triggers. `chains` has the ids of the chains by their configured names.
///
/// # Errors
/// The first problem and its place.
pub fn parse(document: &str, chains: &BTreeMap<String, i64>) -> Result<TriggerFile<WrittenAction>> {
    let document = document::read(text(document.as_bytes())?)?;
    check::file(document, &check::Context { chains })
}

/// The text of a document.
///
/// # Errors
/// The document is too long, or not in UTF-8.
pub fn text(document: &[u8]) -> Result<&str> {
    if document.len() > DOCUMENT_BYTES_MAX {
        let problem = format!("the document is longer than {DOCUMENT_BYTES_MAX} bytes");
        return Err(TriggerFileError::of_document(TextPlace::default(), problem));
    }
    str::from_utf8(document).map_err(|error| {
        let before = String::from_utf8_lossy(&document[..error.valid_up_to()]);
        let last = before.rsplit('\n').next().unwrap_or_default();
        let number = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
        let line = number(before.matches('\n').count()) + 1;
        let place = TextPlace { line, column: number(last.chars().count()) + 1 };
        TriggerFileError::of_document(place, "this byte is no UTF-8; save the document as UTF-8")
    })
}

/// A problem of the value of `key`.
fn refuse(value: &ConfigNode, key: &str, problem: impl Display) -> TriggerFileError {
    TriggerFileError::at(value.at, key, problem)
}

/// The place at the beginning of a refusal; empty where it is unknown.
fn line_prefix(line: u64, column: u64) -> String {
    if line == 0 { String::new() } else { format!("{line}:{column}: ") }
}

fn key_prefix(key: Option<&str>) -> String {
    key.map_or_else(String::new, |key| format!("{key}: "))
}
