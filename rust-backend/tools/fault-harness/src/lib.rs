//! Breaks the servers, networks and processes of the real binaries, one fault after another under
//! load, and proves that nothing is lost or doubled, and that the system recovers within seconds by
//! itself.
//!
//! A [`world::World`] is a private PostgreSQL and a private Redis, each behind a [`proxy::Proxy`],
//! the binaries ([`fleet`]) connected through these, a receiver that verifies signatures, and
//! continuous writers ([`load`]). A [`fault::Fault`] strikes a world of its own and waits for its
//! recovery. Then the writers stop, everything comes to rest, and the [`verdict`] computes the
//! expected jobs and messages from the `events` table alone and compares them with the jobs and the
//! receiver's messages.
//!
//! Writers and the verdict connect to the servers directly, so that no fault affects them.
//! [`round`] puts these together, [`report`] shows the results. Never shipped.

pub mod fault;
mod faults;
pub mod fleet;
pub mod load;
pub mod proxy;
pub mod report;
pub mod round;
pub mod verdict;
pub mod world;
