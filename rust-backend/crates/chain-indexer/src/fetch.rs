//! Blocks with their logs: one, a range, or in parts where no answer holds them.

pub(crate) mod block;
pub(crate) mod gather;
pub(crate) mod one_block;
pub(crate) mod range;
pub(crate) mod ranges;
pub(crate) mod stretch;
