//! The rules of delivery: leases on jobs, and the retry schedule.

pub mod job_state;
pub mod lease;
pub mod retry;
