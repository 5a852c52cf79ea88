//! Jobs from their decision to their end: leases, attempts, retractions.

pub mod action_results;
pub(crate) mod assignments;
pub(crate) mod inclusions;
pub mod jobs;
pub(crate) mod leases;
pub(crate) mod retractions;
pub(crate) mod taken_back_events;
