//! The cargo that runs us.

use std::path::Path;
use std::process::Command;

/// What `cargo run` tells a program of its own package.
const OURS: [&str; 3] = ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_BIN_"];

/// A command of the same cargo, in the workspace of the repository.
///
/// As if called from a shell: build scripts watch variables of a package (ring's does), and would
/// run again under ours, and once more in the next build, with all that depends on them.
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
