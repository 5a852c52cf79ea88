//! Carries the ids of jobs that are due from the processors to the workers, over a Redis Stream
//! and its consumer group.
//!
//! Nothing here is the truth. A job lives in PostgreSQL and is leased there, so an id that is
//! lost, doubled, late or nonsense does no harm: the sweep hands over again what nobody leased,
//! and a lease is given once. So an entry is removed as soon as it is read, and a wiped Redis is
//! an empty queue and nothing else.

mod connection;
mod error;
mod reader;
mod sender;

pub use error::{QueueError, Result};
pub use reader::Reader;
pub use sender::Sender;

/// The stream. Its entries have one field, `job`, with the id of a job.
pub const STREAM: &str = "agentauri:jobs";
/// The consumer group of all workers.
pub const GROUP: &str = "action-workers";
const FIELD: &str = "job";
