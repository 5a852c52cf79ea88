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

/// The name of an installation's stream. Its entries have one field, `job`, with the id of a job.
///
/// Each installation has a stream of its own, so that several may share a Redis: a worker that
/// reads an id of another installation would drop it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamName(String);

impl StreamName {
    /// The stream of the installation in that database.
    pub fn of(database_id: &str) -> Self {
        Self(format!("agentauri:{database_id}:jobs"))
    }

    /// Beside it, for [`rehearse`], so that one pattern of keys permits both.
    pub(crate) fn of_rehearsal(&self) -> Self {
        Self(format!("{}:doctor", self.0))
    }

    /// Its key in Redis.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The stream that all installations shared in earlier versions. It is deleted once it is not read
/// any more: the sweep pushes its jobs again.
const FORMER_STREAM: &str = "agentauri:jobs";
/// The consumer group of all workers of an installation.
pub const GROUP: &str = "action-workers";
const FIELD: &str = "job";
