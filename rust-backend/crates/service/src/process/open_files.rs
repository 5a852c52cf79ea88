//! How many files a process may have open, its connections among them.
//!
//! Systems give a process few of them at first (1,024) and let it ask for more, up to a hard limit:
//! the first number is meant for programs that use `select`, which none of ours does.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Raises the soft limit to the hard one. Where that is refused, the process works with what it
/// has: what lacks a file is tried again.
pub(crate) fn raise_limit() {
    let limit = getrlimit(Resource::Nofile);
    if limit.current == limit.maximum {
        return;
    }
    let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
    if let Err(error) = setrlimit(Resource::Nofile, raised) {
        tracing::warn!(%error, "The limit of open files stays where it is");
    }
}

/// The soft limit; `None`: there is none.
pub(crate) fn limit() -> Option<u64> {
    getrlimit(Resource::Nofile).current
}
