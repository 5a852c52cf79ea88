//! Parts of the bench that are processes of their own, so that they are measured like any other.

use anyhow::Result;
use service::config::Settings;

use crate::counterparts::canned_node;
use crate::scenario::matching;
use crate::yardstick::{self, Reading};

/// What the bench starts for itself.
#[derive(Clone, Debug, clap::Subcommand)]
pub enum Part {
    /// The yardstick's process, on the servers of `DATABASE_URL` and `REDIS_URL`.
    Yardstick {
        /// With a look-up by agent: the kindest reading of its design.
        #[arg(long)]
        by_agent: bool,
    },
    /// A node whose answers are canned, with so many events.
    CannedNode {
        /// How many.
        events: u32,
    },
    /// Loads the triggers of `DATABASE_URL`, and tells how long that took, as JSON.
    Load,
    /// Indexes this many triggers and matches events against them; tells its figures as JSON.
    Match {
        /// How many.
        triggers: u32,
    },
}

impl Part {
    /// Does it.
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
