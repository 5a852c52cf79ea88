//! The one format of triggers, for files (YAML or JSON), the HTTP API and tests.
//!
//! A document with any problem is refused as a whole, with the line, the column and the key. The
//! keys of an action are handed on as they are written, for its kind to check.

mod action;
mod check;
#[cfg(test)]
mod drawn_tests;
mod form;
mod plain;

use std::collections::BTreeMap;
use std::fmt::Display;

use serde_saphyr::Spanned;

use crate::trigger::TriggerSpec;
use crate::trigger::action::WrittenAction;
use crate::trigger::config::TextPlace;

/// The largest document, in bytes: about 50,000 triggers.
pub const DOCUMENT_BYTES_MAX: usize = 16 * 1024 * 1024;

/// A refusal of a document of triggers.
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

/// Lists and tables within each other: a trigger takes five, its action's own keys the rest.
const DEPTH_MAX: usize = 32;

/// Reads a document of triggers. `chains` has the ids of the chains by their configured names.
///
/// # Errors
/// The first problem and its place.
pub fn parse(
    document: &str,
    chains: &BTreeMap<String, i64>,
) -> Result<Vec<WrittenTrigger>, TriggerFileError> {
    if document.len() > DOCUMENT_BYTES_MAX {
        let problem = format!("the document is longer than {DOCUMENT_BYTES_MAX} bytes");
        return Err(TriggerFileError::of_document(TextPlace::default(), problem));
    }
    plain::require(document)?;
    read(document, chains)
}

/// Reads a document whose nodes all mean their plain text.
fn read(
    document: &str,
    chains: &BTreeMap<String, i64>,
) -> Result<Vec<WrittenTrigger>, TriggerFileError> {
    let options = serde_saphyr::options! {
        // The document's length limits all but the depth and the copies that aliases make.
        budget: serde_saphyr::budget! {
            max_depth: DEPTH_MAX,
            max_events: usize::MAX,
            max_aliases: usize::MAX,
            max_anchors: usize::MAX,
            max_nodes: usize::MAX,
            max_total_scalar_bytes: usize::MAX,
            max_merge_keys: usize::MAX,
            enforce_alias_anchor_ratio: false,
        },
        with_snippet: false,
        duplicate_keys: serde_saphyr::options::DuplicateKeyPolicy::Error,
        non_finite_float_policy: serde_saphyr::options::NonFiniteFloatPolicy::AsString,
    };
    let form: form::File = serde_saphyr::from_str_with_options(document, options)
        .map_err(|error| unreadable(&error))?;
    check::file(form, &check::Context { document, chains })
}

/// A refusal of the value of `key` that stands at `at`.
fn refuse<T>(at: &Spanned<T>, key: &str, problem: impl Display) -> TriggerFileError {
    TriggerFileError::at(place(at), key, problem)
}

fn place<T>(at: &Spanned<T>) -> TextPlace {
    TextPlace { line: at.referenced.line(), column: at.referenced.column() }
}

fn unreadable(error: &serde_saphyr::Error) -> TriggerFileError {
    let place = error.location().map_or_else(TextPlace::default, |place| TextPlace {
        line: place.line(),
        column: place.column(),
    });
    TriggerFileError::of_document(place, error.without_snippet().to_string())
}

/// The place at the beginning of a refusal; empty where it is unknown.
fn line_prefix(line: u64, column: u64) -> String {
    if line == 0 { String::new() } else { format!("{line}:{column}: ") }
}

fn key_prefix(key: Option<&str>) -> String {
    key.map_or_else(String::new, |key| format!("{key}: "))
}
