//! State: by examples, against a naive recomputation, and in any batches.

mod examples;
mod naive;
mod properties;
mod store;
mod world;
