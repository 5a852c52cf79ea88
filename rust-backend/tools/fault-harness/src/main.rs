//! `fault-harness`: every fault, one after another.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a table and progress are its work")]

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context as _, Result, bail, ensure};
use clap::Parser;
use fault_harness::fault::{FAULTS, Fault};
use fault_harness::report;
use fault_harness::round::{self, Outcome, Trial};
use fault_harness::world::Span;
use tokio::signal::unix::{SignalKind, signal};

const EXAMPLES: &str = "\
Examples:
  cargo run --release --bin fault-harness                       every fault once, some ten minutes
  cargo run --release --bin fault-harness -- --rounds 10        the rounds that a release requires
  cargo run --release --bin fault-harness -- --only redis-killed --only postgres-cut
  cargo run --release --bin fault-harness -- --list

Exit codes: 0 nothing lost, nothing doubled, every recovery within its bound; 1 otherwise; 2 usage.
A failed trial leaves the processes' logs in a folder of the system's temporary one.";

/// Breaks the servers, networks and processes of the real binaries under load, and proves that
/// nothing is lost or doubled.
#[derive(Debug, Parser)]
#[command(name = "fault-harness", about, after_help = EXAMPLES, max_term_width = 100)]
struct Args {
    /// Trials of each fault, each in a new world with another seed.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..))]
    rounds: u64,
    /// Only this fault; may be given again.
    #[arg(long, value_name = "FAULT", num_args = 1.., value_parser = known)]
    only: Vec<&'static Fault>,
    /// List the faults with their descriptions and exit.
    #[arg(long)]
    list: bool,
    /// Rows that the writers of each fault commit at least.
    #[arg(long, default_value_t = 2_000)]
    events: u64,
    /// Seed of the writers' randomness; each round adds one.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Shorten the faults whose length is free, as continuous integration does.
    #[arg(long)]
    short: bool,
    /// Write all outcomes to this file, as JSON.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

fn known(name: &str) -> Result<&'static Fault, String> {
    let found = FAULTS.iter().find(|fault| fault.name == name);
    found.ok_or_else(|| "no such fault; --list names them".to_owned())
}

#[tokio::main]
async fn main() -> Result<ExitCode> {
    let args = Args::parse();
    if args.list {
        for fault in FAULTS {
            println!("{:<26} {}", fault.name, fault.what);
        }
        return Ok(ExitCode::SUCCESS);
    }
    build()?;
    let mut outcomes = Vec::new();
    // An early end still prints the outcomes; dropping a world ends its processes.
    let ended = tokio::select! {
        ended = all(&args, &mut outcomes) => ended,
        told = told_to_end() => told.and_then(|signal| bail!("ended by {signal}")),
    };
    println!("{}", report::table(&outcomes));
    if let Some(file) = &args.json {
        std::fs::write(file, serde_json::to_vec_pretty(&outcomes)?)
            .with_context(|| file.display().to_string())?;
    }
    let bad = outcomes.iter().filter(|outcome| !outcome.is_good()).count();
    println!("\n{} of {} trials as promised.", outcomes.len() - bad, outcomes.len());
    ended?;
    Ok(if bad == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn told_to_end() -> Result<&'static str> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(tokio::select! {
        _ = terminate.recv() => "SIGTERM",
        _ = interrupt.recv() => "SIGINT",
    })
}

async fn all(args: &Args, outcomes: &mut Vec<Outcome>) -> Result<()> {
    let faults: Vec<&Fault> =
        if args.only.is_empty() { FAULTS.iter().collect() } else { args.only.clone() };
    let span = if args.short { Span::Short } else { Span::Full };
    for round in 0..args.rounds {
        let seed = args.seed + round;
        let trial = Trial { seed, events_min: args.events, span, patience: 1 };
        for (number, fault) in faults.iter().enumerate() {
            eprint!(
                "round {}/{}, {:>2}/{}  {:<26}",
                round + 1,
                args.rounds,
                number + 1,
                faults.len(),
                fault.name
            );
            let outcome = round::take(fault, &trial).await.with_context(|| fault.name)?;
            tell(&outcome);
            outcomes.push(outcome);
        }
    }
    Ok(())
}

fn tell(outcome: &Outcome) {
    eprintln!(
        "{}  recovered in {:.2} s, at rest after {:.1} s",
        if outcome.is_good() { "ok    " } else { "FAILED" },
        outcome.recovery_seconds,
        outcome.rest_seconds
    );
    for complaint in &outcome.complaints {
        eprintln!("    {complaint}");
    }
}

/// Builds the binaries under test in this program's profile: they are started from its folder. All
/// that a plain build has, since a selection of packages has other features of the same crates.
fn build() -> Result<()> {
    let own = std::env::current_exe()?;
    let folder = own.parent().and_then(Path::file_name).unwrap_or_default();
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../..")).args(["build", "--bins"]);
    if folder == "release" {
        command.arg("--release");
    }
    let built = command.status().context("cargo, to build what is broken")?;
    ensure!(built.success(), "the binaries do not build");
    Ok(())
}
