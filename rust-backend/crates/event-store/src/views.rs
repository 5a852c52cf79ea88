//! Read models for operators.

pub mod dead_jobs;
pub mod destinations;
pub mod doors;
pub mod events;
pub mod health_signals;
pub mod jobs;
pub mod lock_holders;
pub mod node_heads;
pub mod server;
pub mod slice;
pub mod status;
pub mod triggers;
pub mod writes;
