//! Apparatus that the tests of several crates share. Never shipped.
//!
//! A [`Bed`] is a private PostgreSQL with the schema and a private Redis; [`Row`] is an event as a
//! stranger writes it, with plain INSERT; [`Receiver`] is an HTTP server that verifies signatures
//! and can be told to misbehave; [`Process`] is one of our binaries, started as a user would.
//! [`eventually`] waits for a condition, and fails with its name if it does not become true.

mod bed;
mod patience;
mod process;
mod receiver;
mod row;

pub use bed::{Bed, more_triggers, trigger_file, trigger_specs};
pub use patience::eventually;
pub use process::{Process, binary};
pub use receiver::{Receiver, SECRET};
pub use row::Row;
