//! Parts of the bench in processes of their own, so that their CPU is measured like any other's.

use anyhow::Result;
use service::config::Settings;

use crate::counterparts::canned_node;
use crate::scenario::matching;
use crate::yardstick::{self, Reading};

/// A process that the bench starts for itself.
#[derive(Clone, Debug, clap::Subcommand)]
pub enum Part {
    /// The yardstick's process, on the servers of `DATABASE_URL` and `REDIS_URL`.
    Yardstick {
        /// Looks triggers up by agent: the most favourable reading of the design.
        #[arg(long)]
        by_agent: bool,
    },
    /// A node with canned answers.
    CannedNode {
        /// Events on its chain.
        events: u32,
    },
    /// Loads the triggers of `DATABASE_URL`, and prints the time as JSON.
    Load,
    /// Indexes triggers and matches events against them; prints its figures as JSON.
    Match {
        /// Triggers to index.
        triggers: u32,
    },
}

impl Part {
    /// Runs it.
    ///
    /// # Errors
    /// The servers cannot be used.
    pub async fn run(self, settings: &Settings) -> Result<()> {
        match self {
            Self::Yardstick { by_agent } => {
                let reading = if by_agent { Reading::ByAgent } else { Reading::Design };
                yardstick::main(settings, reading).await
            }
            Self::CannedNode { events } => canned_node::serve(events).await,
            Self::Load => matching::load_part(settings).await,
            Self::Match { triggers } => matching::match_part(triggers),
        }
    }
}
