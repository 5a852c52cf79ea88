//! The rules of delivery: leases on jobs, and the retry schedule.

pub mod lease;
pub mod retry;
