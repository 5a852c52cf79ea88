//! Rows of `events`: those of our indexer, their earlier contents, and forged ones.

pub mod forgeries;
pub(crate) mod history;
pub mod new_events;
pub(crate) mod rows;
pub(crate) mod superseded_events;
pub mod unlogged_events;
