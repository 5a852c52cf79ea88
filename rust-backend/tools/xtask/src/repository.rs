//! The repository's folder, and commands that run in it.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, ensure};

/// The top folder of the repository around the working directory.
pub(crate) fn root() -> Result<PathBuf> {
    let root = output(Command::new("git").args(["rev-parse", "--show-toplevel"]))?;
    Ok(PathBuf::from(root.trim_end_matches('\n')))
}

/// The output of a command. The error of a failed one holds all that it printed.
pub(crate) fn output(command: &mut Command) -> Result<String> {
    let done = command.output().with_context(|| format!("{} does not start", line(command)))?;
    ensure!(
        done.status.success(),
        "{} failed:\n{}{}",
        line(command),
        String::from_utf8_lossy(&done.stdout),
        String::from_utf8_lossy(&done.stderr),
    );
    Ok(String::from_utf8(done.stdout)?)
}

/// A command as typed in a shell, without its environment.
fn line(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}
