//! The indexer between a real node (anvil, with the devnet's registries) or a lying one, and a real
//! database. Each test has its own of both.

mod auditing;
mod backfill;
mod branch;
mod every_log;
mod first_block;
mod forgeries;
mod gaps;
mod long_blocks;
mod node;
mod process;
mod ranges;
mod resuming;
mod two_writers;
mod world;
