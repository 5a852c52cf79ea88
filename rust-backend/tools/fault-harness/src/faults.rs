//! The actions of the faults, by the place that they strike.

pub(crate) mod database;
pub(crate) mod network;
pub(crate) mod processes;
pub(crate) mod receivers;
pub(crate) mod redis;
pub(crate) mod sessions;
pub(crate) mod small_disk;
