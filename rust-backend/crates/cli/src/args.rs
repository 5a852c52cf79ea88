//! The command line.

use clap::{Parser, Subcommand};

use crate::commands::backfill::BackfillArgs;
use crate::commands::bench::BenchArgs;
use crate::commands::chains::ChainsCommand;
use crate::commands::doctor::DoctorArgs;
use crate::commands::events::EventsCommand;
use crate::commands::jobs::JobsArgs;
use crate::commands::notifications::NotificationsCommand;
use crate::commands::triggers::TriggersArgs;
use crate::demo::DemoArgs;

const EXAMPLES: &str = "\
Examples:
  agentauri demo                         everything at once, on a private chain, to look at
  agentauri triggers apply triggers.yaml put triggers in force
  agentauri run                          index, judge and act, all in one process
  agentauri status                       how far each chain is, what the jobs do

Exit codes: 0 done, 1 failed, 2 refused (usage, configuration, input).
Environment: DATABASE_URL, REDIS_URL, AGENTAURI_CONFIG, RUST_LOG; see docs/development/setup.md.";

/// Turns what happens on the ERC-8004 registries into actions.
#[derive(Debug, Parser)]
#[command(name = "agentauri", version, about, after_help = EXAMPLES, max_term_width = 100)]
pub(crate) struct Args {
    /// Answer in JSON.
    #[arg(long, global = true)]
    pub(crate) json: bool,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Show the whole of it at work: a private chain, traffic, triggers and a verifying receiver.
    Demo(DemoArgs),
    /// Index, judge and act until told to stop, all in one process.
    ///
    /// Without `DATABASE_URL` and `REDIS_URL` it starts private servers of its own, with their data
    /// in .agentauri/, and stops them at its end.
    Run,
    /// Bring the schema of the database up to date.
    Migrate,
    /// Check that everything it needs can be reached and used; of a chain, that nothing is missing.
    Doctor(DoctorArgs),
    /// The triggers: what to look for, and what to do then.
    Triggers(TriggersArgs),
    /// The events that were stored.
    #[command(subcommand)]
    Events(EventsCommand),
    /// Which chains are known, and which events may name.
    #[command(subcommand)]
    Chains(ChainsCommand),
    /// The jobs: what was decided, and what came of it.
    Jobs(JobsArgs),
    /// How the database rings for new events: for every row, only for sleepers, or never.
    #[command(subcommand)]
    Notifications(NotificationsCommand),
    /// Fill in a chain's history, below what is stored.
    Backfill(BackfillArgs),
    /// How far each chain is, what the jobs do, what holds things back.
    Status,
    /// Measure throughput, latency, CPU and memory on this machine, beside the goals and a
    /// yardstick.
    ///
    /// A program of its own, `agentauri-bench`, which has to stand beside this one.
    #[command(disable_help_flag = true)]
    Bench(BenchArgs),
}
