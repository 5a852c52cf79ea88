//! The cargo that runs us.

use std::path::Path;
use std::process::Command;

/// Beginnings of the variables that `cargo run` sets for a program's own package.
const OURS: [&str; 3] = ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_BIN_"];

/// A command of the same cargo, in the repository's workspace.
///
/// Its environment is a shell's: build scripts that watch a package's variables (ring's does) would
/// otherwise run again, and once more in the next build, with all that depends on them.
pub(crate) fn command(root: &Path) -> Command {
    let program = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(program);
    command.current_dir(root.join("rust-backend")).env_remove("CARGO").env_remove("OUT_DIR");
    for (name, _) in std::env::vars_os() {
        if OURS.iter().any(|ours| name.to_string_lossy().starts_with(ours)) {
            command.env_remove(name);
        }
    }
    command
}
