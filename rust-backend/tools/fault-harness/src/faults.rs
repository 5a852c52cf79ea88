//! How each fault is done: a file for each place that it strikes.

pub(crate) mod database;
pub(crate) mod network;
pub(crate) mod processes;
pub(crate) mod redis;
pub(crate) mod sessions;
pub(crate) mod small_disk;
