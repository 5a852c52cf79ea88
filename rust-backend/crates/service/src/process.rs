//! The frame of a process: a runtime, and an exit code.

mod core_dumps;
pub(crate) mod open_files;

use std::io::Write as _;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use tokio::runtime::Builder;

use crate::config::ConfigError;

/// Failed; trying again may help.
const FAILED: u8 = 1;

/// Asked wrongly: the configuration, a file or an argument has to change.
const USAGE: u8 = 2;

/// Time for which blocked threads (reading a file, resolving a name) may delay the end.
const BLOCKED_MAX: Duration = Duration::from_secs(2);

/// An input that is wrong and stays wrong: a file with a mistake, an argument out of bounds. The
/// process ends with exit code 2. Anywhere in an error's chain, around its cause or below it.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Refused(String);

impl Refused {
    /// A refusal; the message names the fault and its place.
    pub fn new(message: impl Into<String>) -> Self {
        Self(message.into())
    }
}

/// Runs `main` on a multi-threaded runtime to its end, and returns the process's exit code: 0 when
/// it is done, 2 when its error is or was caused by a [`ConfigError`] or a [`Refused`], 1 for all
/// others. An error is written to standard error in one line: `error: ` and its causes.
///
/// `name` is the name of the runtime's threads; the system shows 15 bytes of it.
pub fn run(name: &str, main: impl Future<Output = anyhow::Result<()>>) -> ExitCode {
    run_on(Builder::new_multi_thread().thread_name(name), main)
}

/// The same on the calling thread alone: for a process that waits more than it works, where one
/// thread that wakes another costs more than it wins.
pub fn run_on_one_thread(main: impl Future<Output = anyhow::Result<()>>) -> ExitCode {
    run_on(&mut Builder::new_current_thread(), main)
}

fn run_on(builder: &mut Builder, main: impl Future<Output = anyhow::Result<()>>) -> ExitCode {
    match started(builder, main) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Standard error may be closed.
            let _ = writeln!(std::io::stderr(), "error: {}", chain(&error));
            ExitCode::from(code(&error))
        }
    }
}

fn started(
    builder: &mut Builder,
    main: impl Future<Output = anyhow::Result<()>>,
) -> anyhow::Result<()> {
    core_dumps::forbid().context("cannot forbid core dumps")?;
    open_files::raise_limit();
    let runtime = builder.enable_all().build().context("cannot start the runtime")?;
    let result = runtime.block_on(main);
    runtime.shutdown_timeout(BLOCKED_MAX);
    result
}

fn code(error: &anyhow::Error) -> u8 {
    // Of a context, `chain` shows the text, and `is` the type.
    let is_refusal = error.is::<ConfigError>()
        || error.is::<Refused>()
        || error.chain().any(|cause| cause.is::<ConfigError>() || cause.is::<Refused>());
    if is_refusal { USAGE } else { FAILED }
}

/// The error and its causes. A cause that the message before it quotes already is left out: many
/// errors print their source.
fn chain(error: &anyhow::Error) -> String {
    let mut text = String::new();
    for cause in error.chain().map(ToString::to_string) {
        if text.is_empty() {
            text = cause;
        } else if !text.ends_with(&cause) {
            text = format!("{text}: {cause}");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use anyhow::anyhow;

    use super::*;

    fn refused() -> anyhow::Error {
        Refused::new("triggers.yaml:3:1: chains: unknown").into()
    }

    #[test]
    fn bad_input_ends_with_2_wherever_it_is_in_the_chain() {
        assert_eq!(code(&refused()), 2);
        assert_eq!(code(&refused().context("cannot apply")), 2);
        let below = Err::<(), _>(anyhow!("no such file")).context(Refused::new("--file"));
        assert_eq!(code(&below.expect_err("an error")), 2);
        let config = ConfigError::variable("DATABASE_URL", "is missing");
        assert_eq!(code(&anyhow::Error::from(config).context("cannot start")), 2);
    }

    #[test]
    fn everything_else_ends_with_1() {
        assert_eq!(code(&anyhow!("connection refused").context("cannot start")), 1);
    }

    #[test]
    fn an_error_is_told_once_with_its_causes() {
        let error = anyhow!("refused").context("connecting: refused").context("cannot start");
        assert_eq!(chain(&error), "cannot start: connecting: refused");
    }

    #[test]
    fn the_main_future_decides_the_code() {
        assert_eq!(run("t", async { Ok(()) }), ExitCode::SUCCESS);
        assert_eq!(run("t", async { Err(refused()) }), ExitCode::from(2));
    }
}
