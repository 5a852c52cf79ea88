//! Judges the events of every shard, once per revision and in order, and hands over the jobs.
//!
//! One loop ([`wheel`]): something wakes it, it surveys the shards, judges those that have entries,
//! and sleeps again. What wakes it ([`wake`]) is a notification ([`listener`]), the start, a
//! reconnect or the tick; they are all the same, because none of them is believed: what there is to
//! do is read from the shards' log. So a lost notification delays and loses nothing, and a false
//! one costs a look. Where writers ring only for sleepers, the loop asks the gate ([`gate`]) before
//! it sleeps.
//!
//! Judging itself is the engine's `decide`, pure. Its plan is committed with the shard's cursor in
//! one transaction; then the ids of the new jobs go to the queue ([`push`]), and if that fails the
//! workers' sweep finds them in PostgreSQL.
//!
//! What triggers remember ([`memory`]) is a copy of what is stored at the shard's cursor, and
//! forgotten where the cursor stands elsewhere. No judging happens anywhere else, and nothing here
//! waits for Redis.

mod announce;
mod gate;
mod listener;
mod measures;
mod memory;
mod pace;
pub mod push;
mod run;
mod shard;
pub mod wake;
mod watch;
pub mod wheel;

pub use run::{CONNECTIONS, HEARTBEAT_LIMIT, Processor, connect, main, name_chains};
