//! Engines that are wrong on purpose, each in one way: the simulator has to find them out.
//!
//! The engine's code is the real one. What is wrong sits in the adapters between it and the fakes.

mod inbox;
mod leases;
mod shards;

use clap::ValueEnum;

pub use self::inbox::Ids;
pub use self::leases::Desk;
pub use self::shards::{Door, Opened};

/// One way to be wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Mutant {
    /// Jobs are written after the commit that moves the cursor, not with it.
    NoOutbox,
    /// A worker acts on every id it reads.
    NoLease,
    /// A cursor is a sequence number, and takes whatever is visible behind it.
    SeqOnly,
    /// A worker skips ids that stand before one that it has read.
    RedisFence,
    /// Nobody minds entries above the horizon.
    SleepsAboveHorizon,
    /// Every entry is judged by what its own revision said, although a higher one stands before it.
    InOrder,
    /// A processor keeps the triggers that it loaded first.
    StaleIndex,
    /// A processor believes what it remembers of a shard, although another has judged it since.
    CachedState,
    /// What never left the house counts as an attempt.
    CountsWhatNeverLeft,
    /// A lease whose taker was not told of it counts as an attempt.
    CountsUntoldLeases,
    /// Only what is not under way when it is taken back is retracted.
    ForgetsUnderWay,
    /// A held job stays so when its hold ends.
    ForgetsHeld,
    /// An event that is taken back goes on waiting.
    ReleasesOnly,
    /// Every block time is believed, however far ahead of its entry it is.
    BelievesTheFuture,
}
