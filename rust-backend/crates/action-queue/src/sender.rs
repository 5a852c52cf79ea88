//! The processors' end.

use std::time::Duration;

use event_engine::job::JobId;
use event_engine::port::JobQueue;

use crate::connection::Connection;
use crate::{FIELD, QueueError, Result, STREAM};

/// Nothing we send blocks in Redis.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(2);
/// Ids in one round trip.
const PIPELINE_IDS: usize = 1_000;

/// About as many ids wait at most: Redis drops the oldest beyond, and their jobs stay due in
/// PostgreSQL, where the workers' sweep finds them once there is room. It keeps a queue that nobody
/// reads from filling Redis's memory.
const LENGTH_MAX: usize = 100_000;

/// Hands ids of due jobs over.
#[derive(Clone)]
pub struct Sender {
    connection: Connection,
}

impl Sender {
    /// A sender that connects when it is first used.
    ///
    /// # Errors
    /// [`QueueError::Url`]
    pub fn new(url: &str) -> Result<Self> {
        Ok(Self { connection: Connection::lazy(url, ANSWER_TIMEOUT)? })
    }

    /// Proves that Redis is there and lets us in.
    pub async fn ping(&self) -> Result<()> {
        let () = redis::cmd("PING").query_async(&mut self.connection.clone()).await?;
        Ok(())
    }
}

impl JobQueue for Sender {
    type Error = QueueError;

    async fn push(&self, ids: &[JobId]) -> Result<()> {
        for ids in ids.chunks(PIPELINE_IDS) {
            let mut pipeline = redis::pipe();
            for id in ids {
                let mut text = uuid::Uuid::encode_buffer();
                let text: &str = id.0.hyphenated().encode_lower(&mut text);
                pipeline
                    .cmd("XADD")
                    .arg(STREAM)
                    .arg(&["MAXLEN", "~"])
                    .arg(LENGTH_MAX)
                    .arg(&["*", FIELD, text])
                    .ignore();
            }
            let () = pipeline.query_async(&mut self.connection.clone()).await?;
        }
        Ok(())
    }

    async fn length(&self) -> Result<u64> {
        Ok(redis::cmd("XLEN").arg(STREAM).query_async(&mut self.connection.clone()).await?)
    }
}
