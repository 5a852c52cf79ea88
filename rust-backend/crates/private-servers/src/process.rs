//! A program as a process of ours: found, started, watched, ended with its starter.

pub(crate) mod guarded;
pub(crate) mod launch;
pub(crate) mod processes;
pub(crate) mod programs;
pub(crate) mod server_log;
pub(crate) mod wait;
