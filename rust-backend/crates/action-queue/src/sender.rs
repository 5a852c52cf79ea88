//! The processors' end of the queue.

use std::time::Duration;

use event_engine::job::JobId;
use event_engine::port::JobQueue;

use crate::connection::RedisConnection;
use crate::{FIELD, QueueError, Result, StreamName};

/// Time for an answer: no command of the sender blocks in Redis.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(2);
/// Ids in one round trip.
const PIPELINE_IDS: usize = 1_000;

/// Length at which Redis drops the oldest ids, about: an unread queue must not fill Redis's memory.
/// The dropped ids' jobs stay due in PostgreSQL, and the workers' sweep pushes them again once
/// there is room.
const LENGTH_MAX: usize = 100_000;

/// Pushes ids of due jobs.
#[derive(Clone)]
pub struct Sender {
    connection: RedisConnection,
    stream: StreamName,
}

impl Sender {
    /// A sender that connects when it is first used.
    ///
    /// # Errors
    /// [`QueueError::Url`]
    pub fn new(url: &str, stream: &StreamName) -> Result<Self> {
        let connection = RedisConnection::lazy(url, ANSWER_TIMEOUT)?;
        Ok(Self { connection, stream: stream.clone() })
    }

    /// Checks that Redis answers and accepts the login.
    pub async fn ping(&self) -> Result<()> {
        let () = redis::cmd("PING").query_async(&mut self.connection.clone()).await?;
        Ok(())
    }

    /// Deletes the stream.
    pub(crate) async fn delete(&self) -> Result<()> {
        let mut connection = self.connection.clone();
        let () = redis::cmd("DEL").arg(self.stream.as_str()).query_async(&mut connection).await?;
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
                    .arg(self.stream.as_str())
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
        let mut length = redis::cmd("XLEN");
        length.arg(self.stream.as_str());
        Ok(length.query_async(&mut self.connection.clone()).await?)
    }
}
