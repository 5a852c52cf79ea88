//! Breaks what the real binaries stand on, one fault after another under load, and proves that
//! nothing is lost, nothing is doubled, and that all of it recovers in seconds without a hand.
//!
//! A [`world::World`] is a private PostgreSQL and a private Redis, each behind a [`proxy::Proxy`],
//! the binaries ([`fleet`]) connected through these, a receiver that verifies signatures, and
//! writers that do not stop ([`load`]). A [`fault::Fault`] is done to a world of its own and waits
//! until the world has recovered. Then the writers stop, everything comes to rest, and the
//! [`verdict`] is computed from the `events` table alone: what should be there, against the jobs
//! and against what the receiver got.
//!
//! Writers and the verdict reach the servers directly: what they see is not the fault's.
//! [`round`] puts these together, [`report`] says what came of them. Never shipped.

pub mod fault;
mod faults;
pub mod fleet;
pub mod load;
pub mod proxy;
pub mod report;
pub mod round;
pub mod verdict;
pub mod world;
