//! State, and what waits: by examples, against a naive recomputation, and in any batches.

mod examples;
mod finality;
mod naive;
mod properties;
mod store;
mod world;
