//! The loop of a chain: its head, missing blocks below it, and finality.

pub(crate) mod catch_up;
pub(crate) mod chain;
pub(crate) mod comparison;
pub(crate) mod finality;
pub(crate) mod indexer;
