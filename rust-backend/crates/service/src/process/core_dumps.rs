//! No core dumps: the memory of our processes holds signing keys, secrets and passwords.

use rustix::io::Result;
use rustix::process::{DumpableBehavior, Resource, Rlimit, set_dumpable_behavior, setrlimit};

/// Forbids them for as long as this process lives, by two doors.
///
/// The limit also holds for its children, the private servers. But a kernel that pipes cores to a
/// program (`core_pattern` with a pipe, as under systemd) pays no heed to a limit of zero, only to
/// whether a process may be dumped. That has a second effect, which is welcome: other processes of
/// the same user can no longer trace it, nor read its memory, its environment and its open
/// files. Root still can. A process loses the mark when it becomes another program.
pub(crate) fn forbid() -> Result<()> {
    setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) })?;
    set_dumpable_behavior(DumpableBehavior::NotDumpable)
}

#[cfg(test)]
mod tests {
    use rustix::process::{dumpable_behavior, getrlimit};

    use super::*;

    #[test]
    fn neither_a_file_nor_a_program_is_given_a_core() {
        forbid().expect("forbidden");
        let limit = getrlimit(Resource::Core);
        assert_eq!((limit.current, limit.maximum), (Some(0), Some(0)));
        assert_eq!(dumpable_behavior(), Ok(DumpableBehavior::NotDumpable));
    }
}
