//! The indexer between a real node (anvil, with the devnet's registries) or a lying one, and a real
//! database. Each test has its own of both.

mod auditing;
mod backfill;
mod branches;
mod every_log;
mod faults;
mod finality;
mod forgeries;
mod gaps;
mod lies;
mod long_blocks;
mod nodes;
mod process;
mod ranges;
mod reorgs;
mod resuming;
mod two_writers;
mod websockets;
mod world;
