//! The indexer between a real node (anvil, with the devnet's registries) or a lying one, and a real
//! database. Each test has its own of both.

mod auditing;
mod branches;
mod every_log;
mod faults;
mod finality;
mod gaps;
mod lies;
mod process;
mod reorgs;
mod resuming;
mod two_writers;
mod world;
