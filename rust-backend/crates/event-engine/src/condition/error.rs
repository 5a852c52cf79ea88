//! Why a text is refused as a condition.

use thiserror::Error;

/// A refused condition: what is wrong, and where.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("column {column}: {fault}")]
pub struct ConditionError {
    /// Where it is wrong, in characters from 1.
    pub column: usize,
    /// The same place in bytes from 0; the end of the text where something is missing there.
    pub offset: usize,
    /// What is wrong: one sentence for the author of the condition.
    pub fault: ConditionFault,
}

impl ConditionError {
    /// A fault at a byte of `source`, which must be the boundary of a character.
    pub(super) fn at(source: &str, offset: usize, fault: ConditionFault) -> Self {
        Self { column: source[..offset].chars().count() + 1, offset, fault }
    }
}

/// What can be wrong with a condition. The author corrects the text in every case.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ConditionFault {
    /// The text is not in the language.
    #[error("{0}")]
    Syntax(String),
    /// It compares what never compares.
    #[error("{0}")]
    Types(String),
    /// It is larger than a condition may be.
    #[error("{0}")]
    Limit(String),
}

impl ConditionFault {
    pub(super) fn syntax(message: impl Into<String>) -> Self {
        Self::Syntax(message.into())
    }

    pub(super) fn types(message: impl Into<String>) -> Self {
        Self::Types(message.into())
    }

    pub(super) fn limit(message: impl Into<String>) -> Self {
        Self::Limit(message.into())
    }
}
