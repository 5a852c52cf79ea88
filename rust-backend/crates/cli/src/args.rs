//! The command line.

use clap::{Parser, Subcommand};

use crate::commands::backfill::BackfillArgs;
use crate::commands::bench::BenchArgs;
use crate::commands::chains::ChainsCommand;
use crate::commands::destinations::DestinationsArgs;
use crate::commands::doctor::DoctorArgs;
use crate::commands::events::EventsCommand;
use crate::commands::jobs::JobsArgs;
use crate::commands::notifications::NotificationsCommand;
use crate::commands::triggers::TriggersArgs;
use crate::demo::DemoArgs;

const EXAMPLES: &str = "\
Examples:
  agentauri demo                         all of it on a private chain, to look at
  agentauri triggers apply triggers.yaml put the triggers of a file in force
  agentauri run                          index chains, judge events and send messages
  agentauri status                       progress of each chain, counts of jobs, problems

Exit codes: 0 done, 1 failed, 2 refused (usage, configuration or input has to change).
Environment: DATABASE_URL, REDIS_URL, AGENTAURI_CONFIG, RUST_LOG; see docs/development/setup.md.";

/// Turns events of the ERC-8004 registries into actions.
#[derive(Debug, Parser)]
#[command(name = "agentauri", version, after_help = EXAMPLES, max_term_width = 100)]
pub(crate) struct Args {
    /// Answer in JSON.
    #[arg(long, global = true)]
    pub(crate) json: bool,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run the whole system on a private chain: traffic, triggers and a verifying receiver.
    Demo(DemoArgs),
    /// Index chains, judge events and send messages, all in one process, until SIGTERM or Ctrl-C.
    ///
    /// Without `DATABASE_URL` and `REDIS_URL` it starts private servers, which keep their data in
    /// .agentauri/, and stops them at its end.
    Run,
    /// Create the schema of the database, or bring it up to date.
    Migrate,
    /// Check servers, nodes and configuration; with --chain, that a chain is stored completely.
    Doctor(DoctorArgs),
    /// Apply, list, show and disable triggers: conditions on events, and their actions.
    Triggers(TriggersArgs),
    /// List and show stored events.
    #[command(subcommand)]
    Events(EventsCommand),
    /// List the chains that are built in and the known ones, restrict the chains of events, and
    /// reset a chain begun anew.
    #[command(subcommand)]
    Chains(ChainsCommand),
    /// List, show, hold and resume destinations: the places that messages go to.
    Destinations(DestinationsArgs),
    /// List and show jobs: one action for one match, with its attempts.
    Jobs(JobsArgs),
    /// Show and set the notifications of new events: on every row, only if needed, or never.
    #[command(subcommand)]
    Notifications(NotificationsCommand),
    /// Store a chain's history, below the stored blocks.
    Backfill(BackfillArgs),
    /// Show the progress of each chain, the counts of jobs, and problems with their remedies.
    Status,
    /// Measure throughput, latency, CPU and memory on this machine, beside the goals and a
    /// yardstick.
    ///
    /// It starts `agentauri-bench`, which must be in the same folder.
    #[command(disable_help_flag = true)]
    Bench(BenchArgs),
}
