//! Acts: takes jobs that are due, sends their messages, records what came of each attempt.
//!
//! An id from the queue is a hint. The job is leased in PostgreSQL, where it is also asked whether
//! it is still wanted: its event valid, its trigger not removed ([`desk`]). The attempt is made
//! ([`act`]) and recorded with what follows from it: delivered, due again, or dead. The sweep
//! pushes again whatever is due and nobody leased, and takes leases back that ran out.
//!
//! A job is attempted at least once and always under the same id; two workers never hold the same
//! lease. Nothing here decides what is sent, and nothing is sent to where the policy
//! ([`destination`]) does not permit.

pub mod act;
pub mod attempt;
pub mod body;
mod desk;
pub mod destination;
mod destinations;

mod failure;
mod jitter;
mod lack;
mod measures;
mod networks;
mod recorder;
pub mod resolver;
pub mod response;
mod run;
pub mod secret;
mod shortage;
pub mod signer;
mod sweep;
pub mod webhook;
mod worker;

pub use jitter::Jitter;
pub use lack::Lack;
pub use run::{CONNECTIONS, HEARTBEAT_LIMIT, RealWorker, main};
pub use worker::Worker;
