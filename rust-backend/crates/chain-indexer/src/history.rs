//! Blocks of long ago: filling them in, and proving that none is missing.

pub(crate) mod backfill;
pub(crate) mod gaps;
