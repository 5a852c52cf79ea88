//! The loop of a chain: its head, what is missing below it, what is final.

pub(crate) mod catch_up;
pub(crate) mod chain;
pub(crate) mod finality;
pub(crate) mod indexer;
