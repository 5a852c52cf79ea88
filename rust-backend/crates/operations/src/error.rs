//! Errors of operations, by the reaction of the caller.

use std::fmt;

use event_engine::trigger_file::TriggerFileError;
use event_store::StoreError;
use serde::Serialize;

/// An error of an operation. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum OperationError {
    /// There is nothing of that name. Ask for another.
    #[error("there is no {kind} {name}")]
    NotFound {
        /// `trigger`, `event`, `job` or `destination`.
        kind: &'static str,
        /// The name or id that was asked for, names in quotes.
        name: String,
    },
    /// The input is wrong and stays wrong. Correct each of the problems, then ask again.
    #[error("{}", Listed(.0))]
    Refused(Vec<InputProblem>),
    /// The input is right, but the stored rows do not allow it. Look at them, then decide.
    #[error("{0}")]
    Conflict(String),
    /// PostgreSQL cannot answer at present. Ask again later; an operator looks at its cause.
    #[error(transparent)]
    Unavailable(#[from] StoreError),
}

/// A result of an operation.
pub type Result<T, E = OperationError> = std::result::Result<T, E>;

/// A mistake in the input, and its place.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct InputProblem {
    /// The file, as it was named; null for other input.
    pub file: Option<String>,
    /// From 1; null where no line is known.
    pub line: Option<u64>,
    /// From 1, in characters.
    pub column: Option<u64>,
    /// The key or the argument at fault; null where it is something else.
    pub key: Option<String>,
    /// The fault.
    pub problem: String,
    /// The remedy, where the sentence does not give it.
    pub remedy: Option<String>,
}

impl InputProblem {
    /// A problem of no key.
    pub fn of(problem: impl Into<String>) -> Self {
        Self { problem: problem.into(), ..Self::default() }
    }

    /// A problem of the value of a key.
    pub fn of_key(key: &str, problem: impl Into<String>) -> Self {
        Self { key: Some(key.to_owned()), problem: problem.into(), ..Self::default() }
    }

    /// The same with a remedy.
    #[must_use]
    pub fn remedy(mut self, remedy: impl Into<String>) -> Self {
        self.remedy = Some(remedy.into());
        self
    }

    /// A problem of a document of triggers that was read from `file`.
    pub(crate) fn of_document(file: Option<&str>, error: &TriggerFileError) -> Self {
        let place = |number: u64| (error.line > 0).then_some(number);
        Self {
            file: file.map(str::to_owned),
            line: place(error.line),
            column: place(error.column),
            key: error.key.clone(),
            problem: error.problem.clone(),
            remedy: None,
        }
    }
}

impl fmt::Display for InputProblem {
    /// Writes `file:line:column: key: problem; remedy`, as far as each is there.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.file, self.line.zip(self.column)) {
            (Some(file), Some((line, column))) => write!(f, "{file}:{line}:{column}: ")?,
            (Some(file), None) => write!(f, "{file}: ")?,
            (None, Some((line, column))) => write!(f, "{line}:{column}: ")?,
            (None, None) => {}
        }
        if let Some(key) = &self.key {
            write!(f, "{key}: ")?;
        }
        f.write_str(&self.problem)?;
        match &self.remedy {
            Some(remedy) => write!(f, "; {remedy}"),
            None => Ok(()),
        }
    }
}

impl From<InputProblem> for OperationError {
    fn from(problem: InputProblem) -> Self {
        Self::Refused(vec![problem])
    }
}

struct Listed<'a>(&'a [InputProblem]);

impl fmt::Display for Listed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, problem) in self.0.iter().enumerate() {
            let separator = if number > 0 { "\n" } else { "" };
            write!(f, "{separator}{problem}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_says_its_place_its_sentence_and_its_remedy() {
        let error = TriggerFileError {
            line: 3,
            column: 5,
            key: Some("chains".to_owned()),
            problem: "no chain named \"x\" is configured".to_owned(),
        };
        let problem = InputProblem::of_document(Some("t.yaml"), &error);
        assert_eq!(problem.key.as_deref(), Some("chains"));
        let refused = OperationError::from(problem);
        assert_eq!(refused.to_string(), "t.yaml:3:5: chains: no chain named \"x\" is configured");
        let problem = "it is long: a key".to_owned();
        let nowhere = TriggerFileError { line: 0, column: 0, key: None, problem };
        let problem = InputProblem::of_document(Some("-"), &nowhere);
        assert_eq!((problem.line, problem.key.clone()), (None, None));
        assert_eq!(problem.to_string(), "-: it is long: a key");
        let option = InputProblem::of_key("limit", "0 is too few").remedy("ask for 1");
        assert_eq!(option.to_string(), "limit: 0 is too few; ask for 1");
    }
}
