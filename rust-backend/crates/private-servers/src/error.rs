//! What can go wrong with a private server, and what the caller does about it.

use std::io;
use std::path::{Path, PathBuf};

/// Why a private server could not be started, stopped or used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A program is not installed. Show it: the message says how to install it.
    #[error("{program} is not installed: {hint}")]
    Missing {
        /// The program, with the version that is needed.
        program: String,
        /// Where it was looked for, and what installs it.
        hint: String,
    },

    /// A folder or file cannot be used as it is. Show it: a person has to change something.
    #[error("{}: {reason}", path.display())]
    Unusable {
        /// The folder or file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },

    /// A living process uses the directory. Use its servers, or stop it first.
    #[error("{} is in use by process {holder}", path.display())]
    InUse {
        /// The directory.
        path: PathBuf,
        /// The process id that its holder wrote down, or `unknown`.
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

    /// A server or one of its tools failed. Show it: the end of the log says why.
    #[error("{server} {what}{}", shown_log(log))]
    Failed {
        /// Which server or tool.
        server: &'static str,
        /// What it did or did not do.
        what: String,
        /// The end of what it printed; may be empty.
        log: String,
    },

    /// An environment variable has a value that means nothing.
    #[error("{name}: {reason}")]
    Variable {
        /// The variable.
        name: &'static str,
        /// What is wrong, and what is allowed.
        reason: String,
    },
}

impl Error {
    /// Turns an operating system's error about `path` into one that names it.
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
