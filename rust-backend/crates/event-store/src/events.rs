//! Rows of `events`: what our indexer inserts, what they said before, and what others forged.

pub mod forgeries;
pub mod new_events;
pub(crate) mod past;
pub(crate) mod replaced_events;
pub mod rows;
pub mod unlogged_events;
