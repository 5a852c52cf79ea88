//! The rules of delivery: who owns a job and for how long, and when it is tried again.

pub mod job_state;
pub mod lease;
pub mod retry;
