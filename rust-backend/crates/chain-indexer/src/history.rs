//! Blocks of long ago: the first of them, filling them in, and proving that all are there.

pub(crate) mod backfill;
pub(crate) mod first_block;
pub(crate) mod gaps;
