//! Chains: read, filled in, reorganised, reset, forged, by our indexer and by Ponder.

mod backfill;
mod forgeries;
mod gaps;
mod ponder;
pub(crate) mod reorgs;
mod resets;
