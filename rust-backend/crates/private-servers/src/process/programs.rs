//! Paths of installed programs.

use std::env;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use crate::Error;

/// Folders of system programs that an ordinary user's PATH may lack.
const SYSTEM: [&str; 3] = ["/usr/sbin", "/sbin", "/usr/local/sbin"];

/// Finds `program` in PATH and the system's own folders; `hint` names the command that installs it.
pub(crate) fn find(program: &str, hint: &str) -> Result<PathBuf, Error> {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path)
        .chain(SYSTEM.map(PathBuf::from))
        .map(|folder| folder.join(program))
        // A relative entry of PATH would be resolved in the server's folder.
        .find(|candidate| candidate.is_absolute() && is_executable(candidate))
        .ok_or_else(|| Error::Missing {
            program: program.to_owned(),
            hint: format!("not found in PATH; {hint}"),
        })
}

/// True if `path` is a file with an executable bit.
pub(crate) fn is_executable(path: &Path) -> bool {
    path.metadata().is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_named_with_what_installs_it() {
        let error = find("no-such-program", "install it").expect_err("missing");
        assert_eq!(
            error.to_string(),
            "no-such-program is not installed: not found in PATH; install it"
        );
    }
}
