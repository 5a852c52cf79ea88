//! The limit on open files of a process, its connections among them.
//!
//! Systems give a process few of them at first (1,024) and let it ask for more, up to a hard limit:
//! the first number is meant for programs that use `select`; ours do not.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Raises the soft limit to the hard one. Where that is refused, the process works with
/// the soft one: an action that lacks a file is tried again.
pub(crate) fn raise_limit() {
    let limit = getrlimit(Resource::Nofile);
    if limit.current == limit.maximum {
        return;
    }
    let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
    if let Err(error) = setrlimit(Resource::Nofile, raised) {
        tracing::warn!(%error, "The open file limit cannot be raised");
    }
}

/// The soft limit; `None` if it is unlimited.
pub(crate) fn limit() -> Option<u64> {
    getrlimit(Resource::Nofile).current
}
