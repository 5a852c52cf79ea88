//! Blocks of long ago: filling them in, and proving that all are there.

pub(crate) mod backfill;
pub(crate) mod gaps;
