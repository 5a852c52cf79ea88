//! The command line.

use clap::Parser;

use crate::mutant::Mutant;

/// Runs the engine in seeded worlds where everything goes wrong, and checks what it promises.
#[derive(Clone, Debug, Parser)]
#[command(after_help = "Example:\n  cargo run --release -p simulator -- --seeds 1000 --from 1\n  \
                  cargo run -p simulator -- --seed 42")]
pub struct Args {
    /// One world, with its trace
    #[arg(long, value_name = "N", conflicts_with = "seeds", required_unless_present = "seeds")]
    pub seed: Option<u64>,
    /// That many worlds; the first that goes wrong ends it
    #[arg(long, value_name = "COUNT")]
    pub seeds: Option<u64>,
    /// The first of them
    #[arg(long, value_name = "FIRST", default_value_t = 1, requires = "seeds")]
    pub from: u64,
    /// With an engine that is wrong on purpose
    #[arg(long, value_enum)]
    pub mutant: Option<Mutant>,
}
