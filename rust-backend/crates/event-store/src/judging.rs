//! The tables of a processor: shards with their cursors, the log, the state of triggers, waits, and
//! the gate.

pub(crate) mod event_log;
pub mod gate;
pub mod notification_settings;
pub(crate) mod shard_cursors;
pub(crate) mod shards;
pub mod times_ahead;
pub(crate) mod trigger_observations;
pub(crate) mod waiting_events;
pub(crate) mod walk;
