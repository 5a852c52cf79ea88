//! Mistakes in the configuration.

/// A mistake in the configuration. Show it and end with exit code 2: a person has to correct it.
///
/// Its message begins with the variable's name, or with `file:line:column: key`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// An environment variable.
    #[error("{name}: {reason}")]
    Variable {
        /// The variable.
        name: String,
        /// Its fault, without secrets.
        reason: String,
    },

    /// A place in the configuration file.
    #[error("{file}:{line}:{column}: {key}: {reason}")]
    Key {
        /// The file, as it was named.
        file: String,
        /// Counted from 1.
        line: usize,
        /// Counted from 1, in characters.
        column: usize,
        /// The key from the top, such as `chains[0].rpc_urls[1]`; `syntax` where it is no TOML.
        key: String,
        /// The fault, without secrets.
        reason: String,
    },

    /// The configuration file as a whole.
    #[error("{file}: {reason}")]
    File {
        /// The file, as it was named.
        file: String,
        /// Why it cannot be used.
        reason: String,
    },
}

impl ConfigError {
    /// A mistake in a variable, for crates that check more than this one can.
    pub fn variable(name: impl Into<String>, reason: impl Into<String>) -> Self {
        Self::Variable { name: name.into(), reason: reason.into() }
    }
}
