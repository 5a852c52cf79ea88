//! Apparatus that the tests of several crates, and the bench, share. Never shipped.
//!
//! A [`Bed`] is a private PostgreSQL with the schema and a private Redis; [`Row`] is an event as a
//! stranger writes it, with plain INSERT; [`Address`] leads to one PostgreSQL after another, and a
//! [`Pooler`] stands before one; [`HttpReceiver`] is an HTTP server, and [`Receiver`] a
//! verifying one of webhooks that can be told to misbehave; [`NodeClient`] asks a node in JSON-RPC;
//! [`Process`] is one of our binaries, started as a user would. [`eventually`] waits for a
//! condition, and fails with its name if it does not become true.

mod address;
mod bed;
mod event;
mod http_receiver;
mod node_client;
mod patience;
mod pooler;
mod process;
mod receiver;
mod row;

pub use address::Address;
pub use bed::{Bed, more_triggers, tell_redis, trigger_file, trigger_specs};
pub use event::event;
pub use http_receiver::{HttpReceiver, Received};
pub use node_client::{NodeClient, quantity};
pub use patience::eventually;
pub use pooler::Pooler;
pub use private_servers::{Postgres, Redis};
pub use process::{Process, binary};
pub use receiver::{Receiver, SECRET};
pub use row::Row;
