//! Carries ids of due jobs from the processors to the workers, over a Redis Stream and its consumer
//! group.
//!
//! Redis holds no truth. A job lives in PostgreSQL and is leased there, so an id that is lost,
//! doubled, late or malformed does no harm: the sweep pushes unleased jobs again, and a job is
//! leased once. So an entry is removed as soon as it is read, and a wiped Redis is only an empty
//! queue.

mod connection;
mod consumer;
mod error;
mod rehearsal;
mod sender;

pub use consumer::QueueConsumer;
pub use error::{QueueError, RedisRefusal, Result};
pub use rehearsal::rehearse;
pub use sender::Sender;

/// The stream. Its entries have one field, `job`, with the id of a job.
pub const STREAM: &str = "agentauri:jobs";
/// The consumer group of all workers.
pub const GROUP: &str = "action-workers";
const FIELD: &str = "job";
