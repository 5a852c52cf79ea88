//! Rows of `events`: what our indexer inserts, what they said before, and what others forged.

pub mod forgeries;
pub(crate) mod history;
pub mod new_events;
pub(crate) mod rows;
pub(crate) mod superseded_events;
pub mod unlogged_events;
