//! Judges the events of every shard, once per revision and in order, and pushes the jobs.
//!
//! One loop ([`processor_loop`]): it wakes, surveys the shards, judges the ready ones, and
//! sleeps again. It wakes ([`wake`]) by a notification ([`listener`]), at the start, after a
//! reconnect or at the tick. These only wake it: the shards' log is the only source of work.
//! So a lost notification delays and loses nothing, and a false one costs a survey. In the mode
//! where writers notify only sleepers, the loop asks the gate ([`gate`]) before it sleeps.
//!
//! Judging itself ([`judge`]) is the engine's `decide`, pure. Its plan is committed with the
//! shard's cursor in one transaction; then the ids of the new jobs go to the queue
//! ([`queue_pusher`]), and if that fails the workers' sweep finds them in PostgreSQL.
//!
//! The cached state of triggers ([`state_cache`]) is a copy of the state stored at the shard's
//! cursor, dropped if the cursor stands elsewhere. No judging happens anywhere else, and nothing
//! here waits for Redis.

mod announcer;
mod gate;
mod judge;
mod listener;
mod measures;
pub mod processor_loop;
pub mod queue_pusher;
mod run;
mod shard_backoff;
mod state_cache;
pub mod wake;
mod watch;

pub use run::{CONNECTIONS, HEARTBEAT_LIMIT, Processor, connect, main, name_chains};
