//! Findings of the rules.

use std::fmt;

/// A violation of a rule: its place and a sentence.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Finding {
    place: String,
    sentence: String,
}

impl Finding {
    /// A finding about a whole file or the whole tree.
    pub(crate) fn of(path: &str, sentence: impl Into<String>) -> Self {
        Self { place: path.to_owned(), sentence: sentence.into() }
    }

    /// A finding about one line.
    pub(crate) fn at(path: &str, line: usize, sentence: impl Into<String>) -> Self {
        Self { place: format!("{path}:{line}"), sentence: sentence.into() }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(to, "{}: {}", self.place, self.sentence)
    }
}

/// The places found, for comparing.
#[cfg(test)]
pub(crate) fn places(findings: &[Finding]) -> Vec<&str> {
    findings.iter().map(|finding| finding.place.as_str()).collect()
}
