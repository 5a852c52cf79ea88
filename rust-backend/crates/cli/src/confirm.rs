//! The question before a command that cannot be undone.

use std::io::{IsTerminal as _, Write as _};

use anyhow::Result;
use service::process::Refused;

/// Asks on the terminal for a yes.
///
/// # Errors
/// Another answer, or no terminal: then `--yes` has to say it.
pub(crate) fn confirmed(question: &str) -> Result<()> {
    let (input, mut shown) = (std::io::stdin(), std::io::stderr());
    if !input.is_terminal() {
        let says = "without a terminal nobody can be asked: --yes does it, --dry-run only shows it";
        return Err(Refused::new(says).into());
    }
    write!(shown, "{question} [y/N] ")?;
    shown.flush()?;
    let mut answer = String::new();
    input.read_line(&mut answer)?;
    match answer.trim().to_lowercase().as_str() {
        "y" | "yes" => Ok(()),
        _ => Err(Refused::new("nothing was changed").into()),
    }
}
