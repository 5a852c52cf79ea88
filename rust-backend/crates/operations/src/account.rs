//! Accounts: whose triggers, and therefore whose jobs.

use std::fmt;
use std::str::FromStr;

use crate::{InputProblem, OperationError};

/// The account where an operator names no other.
pub const DEFAULT_ACCOUNT: &str = "default";
/// It stands in logs and in every list.
const NAME_CHARS_MAX: usize = 128;

/// The name of an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account(String);

impl Account {
    /// Its name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for Account {
    fn default() -> Self {
        Self(DEFAULT_ACCOUNT.to_owned())
    }
}

impl FromStr for Account {
    type Err = OperationError;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        if (1..=NAME_CHARS_MAX).contains(&name.len()) && name.chars().all(allowed) {
            return Ok(Self(name.to_owned()));
        }
        let problem =
            format!("{name:?} is not 1 to {NAME_CHARS_MAX} letters, digits, `-`, `_` or `.`");
        Err(InputProblem::of_key("account", problem).into())
    }
}

impl fmt::Display for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
