//! Errors of private servers, and the caller's remedy for each.

use std::io;
use std::path::{Path, PathBuf};

/// The failure to start, stop or use a private server.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A program is not installed. Show it: the message says how to install it.
    #[error("{program} is not installed: {hint}")]
    Missing {
        /// The program, with the version that is needed.
        program: String,
        /// The places searched, and the command that installs it.
        hint: String,
    },

    /// A folder or file cannot be used as it is. Show it: a person has to change something.
    #[error("{}: {reason}", path.display())]
    Unusable {
        /// The folder or file.
        path: PathBuf,
        /// The problem with it.
        reason: String,
    },

    /// A living process uses the directory. Use its servers, or stop it first.
    #[error("{} is in use by process {holder}", path.display())]
    InUse {
        /// The directory.
        path: PathBuf,
        /// The process id that its holder recorded, or `unknown`.
        holder: String,
    },

    /// The operating system refused an operation on a file or a program.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file, folder or program.
        path: PathBuf,
        /// The operating system's answer.
        source: io::Error,
    },

    /// A server or one of its tools failed. Show it: the end of the log gives the reason.
    #[error("{server} {what}{}", shown_log(log))]
    Failed {
        /// The server or tool.
        server: &'static str,
        /// The failed step.
        what: String,
        /// The end of its output; may be empty.
        log: String,
    },

    /// An environment variable has an invalid value.
    #[error("{name}: {reason}")]
    Variable {
        /// The variable.
        name: &'static str,
        /// The problem, and the allowed values.
        reason: String,
    },
}

impl Error {
    /// Adds `path` to an operating system's error about it.
    pub(crate) fn io(path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io { path: path.to_owned(), source }
    }

    pub(crate) fn unusable(path: &Path, reason: impl Into<String>) -> Self {
        Self::Unusable { path: path.to_owned(), reason: reason.into() }
    }
}

fn shown_log(log: &str) -> String {
    if log.is_empty() { String::new() } else { format!("; the end of its log:\n{log}") }
}
