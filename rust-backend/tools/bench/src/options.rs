//! Options of the command line, and the plan that they make.

use std::path::PathBuf;
use std::time::Duration;

use private_servers::Installation;
use tokio_util::task::TaskTracker;

use crate::counterparts::notifications::Mode;
use crate::yardstick::Reading;

const EXAMPLES: &str = "\
Examples:
  agentauri bench --quick                          every scenario, in minutes, roughly
  agentauri bench sustained latency                two of them, for the record
  agentauri bench latency --rate 2000 --rounds 3   at a rate of your own
  agentauri bench drain --database timescaledb     on a hypertable
  agentauri bench sustained --statements           and which statements PostgreSQL spent it on

It starts servers of its own and touches no others. Ctrl-C ends it and shows what was measured.";

/// The scenarios.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Scenario {
    /// Events a second that become jobs in Redis, beside the yardstick.
    Sustained,
    /// Time from when an INSERT is due until its jobs are in Redis, at given rates.
    Latency,
    /// Speed of catching up with stored events.
    Drain,
    /// The cost of notifications for writers of single rows.
    Writers,
    /// Time for an event to find its triggers, and memory of a trigger.
    Matching,
    /// Webhooks delivered a second, with every attempt recorded.
    Delivery,
    /// Memory of `agentauri run` under load.
    Memory,
    /// Throughput of two and four processors, and time until they take over from a lost one.
    Scale,
    /// Speed of a backfill, from a node with canned answers, and from anvil, beside Ponder.
    Backfill,
    /// Time from a mined block to its webhook, by websocket and by polling, on anvil, beside
    /// Ponder.
    Chain,
    /// Latency and drain on a hypertable of a hundred chunks.
    Hypertable,
}

/// Measure throughput, latency, CPU and memory on this machine, beside the goals and a yardstick.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Options {
    /// Scenarios to measure; without any, all.
    #[arg(value_enum, value_name = "SCENARIO")]
    pub scenarios: Vec<Scenario>,
    /// Rounds, of which the median is shown [default: 5; quick: 1].
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=99))]
    pub rounds: Option<u32>,
    /// Seconds of load that are measured in a round [default: 60; quick: 5].
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=3_600))]
    pub seconds: Option<u32>,
    /// Smaller in every respect: to try it out, not for the record.
    #[arg(long)]
    pub quick: bool,
    /// The database; the scenario `hypertable` always takes timescaledb.
    #[arg(long, value_enum, default_value_t = Database::Plain)]
    pub database: Database,
    /// Notification modes to measure: row, gated, off.
    #[arg(long, value_enum, value_delimiter = ',',
          default_values_t = [Mode::Row, Mode::Gated])]
    pub modes: Vec<Mode>,
    /// Events a second for `latency` and `hypertable` [default: 100, 1000 and 5000; hypertable:
    /// 1000].
    #[arg(long, value_delimiter = ',', value_name = "PER_SECOND",
          value_parser = clap::value_parser!(u32).range(20..=100_000))]
    pub rate: Vec<u32>,
    /// Events for `drain`, `scale`, `hypertable` and `backfill`, jobs for `delivery` ×10 [default:
    /// 1000000; quick: 100000]. On anvil a tenth, at most 20000.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1_000..=10_000_000))]
    pub events: Option<u32>,
    /// Rows of the hypertable [default: 10000000; quick: 500000].
    #[arg(long, value_parser = clap::value_parser!(u32).range(2_000..=100_000_000))]
    pub rows: Option<u32>,
    /// Triggers in force [default: 10000; matching: 1000, 10000, 100000 and 1000000, quick up to
    /// 100000].
    #[arg(long, value_parser = clap::value_parser!(u32).range(100..=2_000_000))]
    pub triggers: Option<u32>,
    /// Ponder's folder, for `chain` and `backfill` [default: ponder-indexers, from here upwards].
    #[arg(long, value_name = "DIR")]
    pub ponder: Option<PathBuf>,
    /// Also list the statements on which PostgreSQL spent most time, at some cost itself.
    #[arg(long)]
    pub statements: bool,
    /// Also write the figures to this file, as JSON.
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// Continue in a debug build, whose figures mean nothing.
    #[arg(long)]
    pub allow_debug: bool,
}

/// The PostgreSQL to run on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Database {
    /// The machine's own: `events` is a plain table.
    Plain,
    /// The one from scripts/setup.sh: `events` is a hypertable.
    Timescaledb,
}

impl Database {
    pub(crate) fn installation(self) -> Installation {
        match self {
            Self::Plain => Installation::Plain,
            Self::Timescaledb => Installation::timescaledb(),
        }
    }
}

/// The options with their defaults.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) scenarios: Vec<Scenario>,
    pub(crate) rounds: u32,
    /// The measured time. A tenth of it, at least a second, precedes it as warm-up.
    pub(crate) measured: Duration,
    pub(crate) quick: bool,
    pub(crate) database: Database,
    pub(crate) modes: Vec<Mode>,
    /// Empty for the scenario's own.
    pub(crate) rates: Vec<u32>,
    pub(crate) events: u32,
    pub(crate) rows: u32,
    /// `None` for the scenario's own.
    pub(crate) triggers: Option<u32>,
    /// Ponder's folder; `None` to search for it.
    pub(crate) ponder: Option<PathBuf>,
    pub(crate) statements: bool,
    /// Starts of servers under way. An interrupt waits for them, lest they are left behind.
    pub(crate) starts: TaskTracker,
}

/// The system under test.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum System {
    /// Ours, with the database in a notification mode.
    Ours(Mode),
    /// The seed document's design, in either reading.
    Yardstick(Reading),
}

impl std::fmt::Display for System {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Ours(mode) => mode.fmt(f),
            Self::Yardstick(reading) => reading.fmt(f),
        }
    }
}

/// Triggers in force under load.
const TRIGGERS: u32 = 10_000;

impl Plan {
    pub(crate) fn of(options: Options) -> Self {
        let quick = options.quick;
        let or =
            |asked: Option<u32>, full, quickly| asked.unwrap_or(if quick { quickly } else { full });
        let mut modes = options.modes;
        modes.dedup();
        let mut scenarios = options.scenarios;
        scenarios.dedup();
        if scenarios.is_empty() {
            scenarios = <Scenario as clap::ValueEnum>::value_variants().to_vec();
        }
        Self {
            scenarios,
            rounds: or(options.rounds, 5, 1),
            measured: Duration::from_secs(or(options.seconds, 60, 5).into()),
            quick,
            database: options.database,
            modes,
            rates: options.rate,
            events: or(options.events, 1_000_000, 100_000),
            rows: or(options.rows, 10_000_000, 500_000),
            triggers: options.triggers,
            ponder: options.ponder,
            statements: options.statements,
            starts: TaskTracker::new(),
        }
    }

    /// Triggers in force while events are inserted.
    pub(crate) fn triggers_under_load(&self) -> u32 {
        self.triggers.unwrap_or(TRIGGERS)
    }

    /// Load before the measured time, to warm up connections, plans and caches.
    pub(crate) fn warm_up(&self) -> Duration {
        (self.measured / 10).max(Duration::from_secs(1))
    }
}

impl Scenario {
    /// Its name on the command line and in the report.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Sustained => "sustained",
            Self::Latency => "latency",
            Self::Drain => "drain",
            Self::Writers => "writers",
            Self::Matching => "matching",
            Self::Delivery => "delivery",
            Self::Memory => "memory",
            Self::Scale => "scale",
            Self::Backfill => "backfill",
            Self::Chain => "chain",
            Self::Hypertable => "hypertable",
        }
    }
}

impl std::fmt::Display for Scenario {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}
