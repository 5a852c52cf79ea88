//! Jobs from their decision to their end: destinations, leases, attempts, retractions.

pub mod action_results;
pub(crate) mod assignments;
pub mod destinations;
pub(crate) mod invalidated_events;
pub mod jobs;
pub(crate) mod leases;
pub(crate) mod reinclusions;
pub(crate) mod retractions;
