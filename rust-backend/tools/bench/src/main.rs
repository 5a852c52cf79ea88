//! `agentauri-bench`, which `agentauri bench` starts.

use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};
use bench::{Options, Part};
use clap::Parser;
use service::config::Settings;
use service::logs::{self, LogStream};
use service::{output, signals};

#[derive(Debug, Parser)]
#[command(name = "agentauri bench", bin_name = "agentauri bench", version, max_term_width = 100)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
struct Args {
    /// Answer in JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    options: Options,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// A process that the bench starts for itself.
    #[command(subcommand, hide = true)]
    Part(Part),
}

fn main() -> ExitCode {
    service::process::run("agentauri bench", run(Args::parse()))
}

async fn run(args: Args) -> Result<()> {
    let settings = Settings::load()?;
    match args.command {
        Some(Command::Part(part)) => {
            match part {
                Part::Yardstick { .. } => logs::init(LogStream::Stdout, &settings)?,
                _ => logs::init_quiet(LogStream::Stderr, &settings)?,
            }
            part.run(&settings).await
        }
        None => {
            logs::init_quiet(LogStream::Stderr, &settings)?;
            measure(args.options, args.json).await
        }
    }
}

async fn measure(options: Options, json: bool) -> Result<()> {
    let shutdown = signals::shutdown_token()?;
    let out = options.out.clone();
    let report = bench::run(options, json, &shutdown).await?;
    if let Some(file) = out {
        let text = serde_json::to_string_pretty(&report)?;
        std::fs::write(&file, text + "\n").with_context(|| file.display().to_string())?;
    }
    if json {
        output::json(&report)?;
    } else {
        bench::show(&report);
    }
    match report.objection() {
        Some(objection) => bail!(objection),
        None => Ok(()),
    }
}
