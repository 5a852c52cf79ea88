//! Acts: takes jobs that are due, sends their messages, records what came of each attempt.
//!
//! An id from the queue is a hint. The job is leased in PostgreSQL, where it is also asked whether
//! it is still wanted: its event valid, its trigger not removed ([`desk`]). The attempt is made
//! ([`act`]) by the sender of its kind ([`senders`]) and recorded with what follows from it:
//! delivered, due again, or dead. The sweep pushes again whatever is due and nobody leased, and
//! takes leases back that ran out.
//!
//! A job is attempted at least once and always under the same id; two workers never hold the same
//! lease. Kinds of action (`actions`) decide what is sent. Nothing is sent to where the operator's
//! policy ([`actions::policy`]) does not permit.

pub mod act;
pub mod attempt;
mod desk;
mod destinations;
mod lack;
mod measures;
mod recorder;
mod run;
pub mod senders;
mod shared_backoff;
mod shortage;
mod sweep;
mod worker;

pub use act::Jitter;
pub use lack::Lack;
pub use run::{CONNECTIONS, HEARTBEAT_LIMIT, RealWorker, main};
pub use worker::Worker;
