//! Parts of the bench that are processes of their own, so that they are measured like any other.

use anyhow::Result;
use service::config::Settings;

use crate::scenario::matching;
use crate::yardstick;

/// What the bench starts for itself.
#[derive(Clone, Debug, clap::Subcommand)]
pub enum Part {
    /// The yardstick's process, on the servers of `DATABASE_URL` and `REDIS_URL`.
    Yardstick,
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
            Self::Yardstick => yardstick::main(settings).await,
            Self::Load => matching::load_part(settings).await,
            Self::Match { triggers } => matching::match_part(triggers),
        }
    }
}
