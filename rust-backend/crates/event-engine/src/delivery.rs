//! The rules of delivery: destinations, leases on jobs, the retry schedule, and an action's own
//! terms.

pub mod destination;
pub mod job_state;
pub mod lease;
pub mod retry;
pub mod terms;
