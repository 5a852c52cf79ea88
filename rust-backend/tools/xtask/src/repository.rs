//! Where the repository is, and what runs in it.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, ensure};

/// The top folder of the repository that we are called in.
pub(crate) fn root() -> Result<PathBuf> {
    let root = output(Command::new("git").args(["rev-parse", "--show-toplevel"]))?;
    Ok(PathBuf::from(root.trim_end_matches('\n')))
}

/// What a command prints. An error where it fails, with what it complained of.
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

/// A command as one would type it, without its environment.
fn line(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}
