//! A program as our child process: found, started, watched, and ended with us.

pub(crate) mod guarded;
pub(crate) mod launch;
pub(crate) mod processes;
pub(crate) mod programs;
pub(crate) mod server_log;
pub(crate) mod wait;
