//! `agentauri bench`: a program of its own takes over.

use std::ffi::OsString;
use std::os::unix::process::CommandExt as _;
use std::process::Command;

use anyhow::{Context as _, Result};
use service::process::Refused;

/// The program, beside this one.
const PROGRAM: &str = "agentauri-bench";

#[derive(Debug, clap::Args)]
pub(crate) struct BenchArgs {
    /// As `agentauri bench --help` says.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    args: Vec<OsString>,
}

/// Returns only where the program cannot be started.
pub(crate) fn bench(options: &BenchArgs, json: bool) -> Result<()> {
    let ours = std::env::current_exe().context("the path of this program")?;
    let program = ours.with_file_name(PROGRAM);
    if !program.exists() {
        let problem = format!("{} is not there: cargo build --release --bins", program.display());
        return Err(Refused::new(problem).into());
    }
    let json = json.then_some("--json");
    let error = Command::new(&program).args(json).args(&options.args).exec();
    Err(error).with_context(|| program.display().to_string())
}
