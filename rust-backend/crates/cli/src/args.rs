//! The command line.

use std::path::PathBuf;

use clap::{Parser, Subcommand, ValueEnum};
use uuid::Uuid;

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
    Demo(Demo),
    /// Index, judge and act until told to stop, all in one process.
    ///
    /// Without `DATABASE_URL` and `REDIS_URL` it starts private servers of its own, with their data
    /// in .agentauri/, and stops them at its end.
    Run,
    /// Bring the schema of the database up to date.
    Migrate,
    /// Check that everything it needs can be reached and used; of a chain, that nothing is missing.
    Doctor(Doctor),
    /// The triggers: what to look for, and what to do then.
    #[command(subcommand)]
    Triggers(Triggers),
    /// The events that were stored.
    #[command(subcommand)]
    Events(Events),
    /// Which chains are known, and which events may name.
    #[command(subcommand)]
    Chains(Chains),
    /// The jobs: what was decided, and what came of it.
    #[command(subcommand)]
    Jobs(Jobs),
    /// How the database rings for new events: for every row, only for sleepers, or never.
    #[command(subcommand)]
    Notifications(Notifications),
    /// Fill in a chain's history, below what is stored.
    Backfill(Backfill),
    /// How far each chain is, what the jobs do, what holds things back.
    Status,
    Bench(bench::Options),
    /// What `bench` starts for itself.
    #[command(subcommand, hide = true)]
    BenchPart(bench::Part),
}

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  agentauri demo\n  agentauri demo --once --events 1000 --seed 7"
)]
pub(crate) struct Demo {
    /// End once every event was delivered and verified, with a summary.
    #[arg(long)]
    pub(crate) once: bool,
    /// How many events the traffic makes at least (10 to 100000); without --once it goes on.
    #[arg(long, default_value_t = 400, value_parser = clap::value_parser!(u32).range(10..=100_000))]
    pub(crate) events: u32,
    /// Events a second (1 to 1000).
    #[arg(long, default_value_t = 40, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    pub(crate) rate: u32,
    /// The same seed makes the same traffic.
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
    /// The folder of the contracts and the traffic generator.
    #[arg(long, value_name = "DIR")]
    pub(crate) devnet: Option<PathBuf>,
}

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  agentauri doctor\n  agentauri doctor --chain sepolia\n  \
    agentauri doctor --chain sepolia --from 9000000 --against-chain --mend")]
pub(crate) struct Doctor {
    /// Check only that nothing of this chain is missing: its name in the configuration, or its id.
    #[arg(long)]
    pub(crate) chain: Option<String>,
    /// The first block; the start block if left out.
    #[arg(long, requires = "chain")]
    pub(crate) from: Option<u64>,
    /// The last block; the highest stored one if left out, against the chain the finalized one.
    #[arg(long, requires = "chain")]
    pub(crate) to: Option<u64>,
    /// Compare each block's logs with a node's: the second one, if there are several.
    #[arg(long, requires = "chain")]
    pub(crate) against_chain: bool,
    /// Fetch and store what is missing.
    #[arg(long, requires = "chain")]
    pub(crate) mend: bool,
}

/// Fill in a chain's history, below what is stored.
///
/// It reads every block of the range whose logs are not stored yet, up to the last final block and
/// the highest stored one, beside an indexer that runs; what comes above is the indexer's. Events
/// feed the state of triggers, and fire those whose `since` reaches back to them. Ctrl-C keeps what
/// is committed; the same command goes on from there.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  agentauri backfill --chain sepolia                 \
    from its start_block on\n  agentauri backfill --chain sepolia --from 7000000\n  \
    agentauri backfill --chain 11155111 --from 7000000 --to 7500000 --json")]
pub(crate) struct Backfill {
    /// The chain: its name in the configuration, or its id.
    #[arg(long)]
    pub(crate) chain: String,
    /// The first block [default: the chain's `start_block`].
    #[arg(long, value_name = "BLOCK")]
    pub(crate) from: Option<u64>,
    /// The last block [default: as high as the history goes].
    #[arg(long, value_name = "BLOCK")]
    pub(crate) to: Option<u64>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Triggers {
    /// Put the triggers of a file in force, all of them or none.
    ///
    /// They are in force when the command ends. A trigger of the same name gets a new version;
    /// one that says what it said before is left alone.
    #[command(after_help = "Examples:\n  agentauri triggers apply triggers.yaml\n  \
        agentauri triggers apply --prune - < triggers.json")]
    Apply {
        /// YAML or JSON; - is standard input.
        file: PathBuf,
        /// Remove the triggers that the file does not name, and cancel what they have pending.
        #[arg(long)]
        prune: bool,
    },
    /// List the triggers.
    List,
    /// Show a trigger with its actions and jobs.
    Show {
        /// Its name.
        name: String,
    },
    /// Take a trigger out of force without removing it; apply its file again to undo.
    Disable {
        /// Its name.
        name: String,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum Events {
    /// List the latest events by block time, newest first.
    #[command(after_help = "Example:\n  agentauri events list --registry reputation --agent 42")]
    List {
        /// The chain: its id, or its name in the configuration.
        #[arg(long)]
        chain: Option<String>,
        /// The registry.
        #[arg(long)]
        registry: Option<String>,
        /// The name of the event.
        #[arg(long = "type")]
        event_type: Option<String>,
        /// The agent: a decimal number.
        #[arg(long)]
        agent: Option<String>,
        /// How many rows (1 to 10000).
        #[arg(long, default_value_t = 20, value_parser = rows())]
        limit: i64,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum Chains {
    /// List the chains that are known, and those that events may name.
    List,
    /// Let events name these chains and, from then on, no others: an INSERT of one is refused.
    #[command(after_help = "Examples:\n  agentauri chains allow 1 8453 sepolia\n  \
        agentauri chains allow --any")]
    Allow {
        /// Ids, or names of the configuration; they are added to the list.
        #[arg(required_unless_present = "any", conflicts_with = "any")]
        chains: Vec<String>,
        /// End the list: events may name any chain.
        #[arg(long)]
        any: bool,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum Jobs {
    /// List the latest jobs, newest first.
    #[command(after_help = "Example:\n  agentauri jobs list --state dead")]
    List {
        /// pending, leased, delivered, cancelled or dead.
        #[arg(long, value_parser = ["pending", "leased", "delivered", "cancelled", "dead"])]
        state: Option<String>,
        /// The name of the trigger.
        #[arg(long)]
        trigger: Option<String>,
        /// The id of the event.
        #[arg(long)]
        event: Option<String>,
        /// How many rows (1 to 10000).
        #[arg(long, default_value_t = 20, value_parser = rows())]
        limit: i64,
    },
    /// Show a job with each of its attempts.
    Show {
        /// Its id: the `webhook-id` that the receiver saw.
        id: Uuid,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum Notifications {
    /// Show the settings in force.
    #[command(after_help = "Example:\n  agentauri notifications show --json")]
    Show,
    /// Change settings while everything runs; what is not named stays.
    #[command(after_help = "Examples:\n  agentauri notifications set --mode gated\n  \
        agentauri notifications set --registry-channels on --only-matching off")]
    Set(NotificationChange),
}

#[derive(Debug, clap::Args)]
#[group(required = true, multiple = true)]
pub(crate) struct NotificationChange {
    /// When an insertion rings `new_event`.
    #[arg(long, value_enum)]
    pub(crate) mode: Option<NotificationMode>,
    /// Ring also on a channel of the registry, such as `new_event_identity`.
    #[arg(long, value_enum)]
    pub(crate) registry_channels: Option<Switch>,
    /// Ring also on a channel of the chain, such as `new_event_8453`.
    #[arg(long, value_enum)]
    pub(crate) chain_channels: Option<Switch>,
    /// Ring only for what an active trigger could match; the rest is judged within half a second.
    #[arg(long, value_enum)]
    pub(crate) only_matching: Option<Switch>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum NotificationMode {
    /// For every row.
    Row,
    /// Once a statement, and only while a processor sleeps.
    Gated,
    /// Never; processors look every half second.
    Off,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Switch {
    /// Yes.
    On,
    /// No.
    Off,
}

/// How many rows a list may have.
fn rows() -> clap::builder::RangedI64ValueParser<i64> {
    clap::value_parser!(i64).range(1..=10_000)
}
