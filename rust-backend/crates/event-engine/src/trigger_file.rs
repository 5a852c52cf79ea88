//! The one format of triggers, for files (YAML or JSON), the HTTP API and tests.
//!
//! Whatever is wrong is refused as a whole, with the line, the column and the key.

mod check;
#[cfg(test)]
mod drawn_tests;
mod form;
mod plain;

use std::collections::BTreeMap;

use serde_saphyr::Spanned;

use crate::trigger::TriggerSpec;
use crate::trigger::action::ActionConfig;

/// The largest document, in bytes: about 50,000 triggers.
pub const DOCUMENT_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Why a document of triggers was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}{problem}", Place(*line, *column))]
pub struct TriggerFileError {
    /// 1-based; 0 where the place is unknown.
    pub line: u64,
    /// 1-based, in characters; 0 where the place is unknown.
    pub column: u64,
    /// The key and what is wrong with it.
    pub problem: String,
}

impl TriggerFileError {
    /// The key at fault, with which the problem begins; `None` where it is about no key, or about
    /// one that could not be read.
    pub fn key(&self) -> Option<&str> {
        let (key, _) = self.problem.split_once(": ")?;
        key.bytes().all(|b| b.is_ascii_lowercase() || b == b'_').then_some(key)
    }
}

/// What a document is read against.
pub struct Context<'a> {
    /// The ids of the chains by their configured names.
    pub chains: &'a BTreeMap<String, i64>,
    /// Asks whoever will take the action, or says why it cannot be taken.
    pub accepts: &'a dyn Fn(&ActionConfig) -> Result<(), String>,
}

impl Default for Context<'_> {
    /// No chain has a name, and every action that reads is accepted.
    fn default() -> Self {
        static NONE: BTreeMap<String, i64> = BTreeMap::new();
        Self { chains: &NONE, accepts: &|_| Ok(()) }
    }
}

/// Reads a document of triggers.
///
/// # Errors
/// The first thing that is wrong, and where.
pub fn parse(document: &str, context: &Context<'_>) -> Result<Vec<TriggerSpec>, TriggerFileError> {
    if document.len() > DOCUMENT_BYTES_MAX {
        return Err(TriggerFileError {
            line: 0,
            column: 0,
            problem: format!("the document is longer than {DOCUMENT_BYTES_MAX} bytes"),
        });
    }
    plain::require(document)?;
    read(document, context)
}

/// Reads a document of which every node is known to mean what stands there.
fn read(document: &str, context: &Context<'_>) -> Result<Vec<TriggerSpec>, TriggerFileError> {
    let options = serde_saphyr::options! {
        budget: None,
        with_snippet: false,
        duplicate_keys: serde_saphyr::options::DuplicateKeyPolicy::Error,
    };
    let form: form::File = serde_saphyr::from_str_with_options(document, options)
        .map_err(|error| unreadable(&error))?;
    check::file(form, context)
}

/// A refusal of the value that stands at `at`.
fn refuse<T>(at: &Spanned<T>, problem: impl Into<String>) -> TriggerFileError {
    TriggerFileError {
        line: at.referenced.line(),
        column: at.referenced.column(),
        problem: problem.into(),
    }
}

fn unreadable(error: &serde_saphyr::Error) -> TriggerFileError {
    let place = error.location();
    TriggerFileError {
        line: place.map_or(0, |place| place.line()),
        column: place.map_or(0, |place| place.column()),
        problem: error.without_snippet().to_string(),
    }
}

struct Place(u64, u64);

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match (self.0, self.1) {
            (0, _) => Ok(()),
            (line, column) => write!(f, "{line}:{column}: "),
        }
    }
}
