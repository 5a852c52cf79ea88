//! Tries all that the processes do with Redis, on a stream of its own.

use event_engine::job::JobId;
use event_engine::port::{Inbox as _, JobQueue as _};
use uuid::Uuid;

use crate::{QueueConsumer, Result, STREAM, Sender};

/// Beside [`STREAM`], so that one pattern of keys permits both.
const OF_REHEARSAL: &str = "agentauri:jobs:doctor";
const CONSUMER: &str = "doctor";

/// Pushes and takes an id as processors and workers do, by each of their commands, and returns the
/// number of ids that wait in the real queue.
///
/// # Errors
/// That of the first command that failed.
pub async fn rehearse(url: &str) -> Result<u64> {
    let queue = Sender::of(url, OF_REHEARSAL)?;
    queue.ping().await?;
    let mut inbox = QueueConsumer::of(url, CONSUMER, OF_REHEARSAL)?;
    inbox.behind().await?;
    queue.push(&[JobId(Uuid::nil())]).await?;
    inbox.behind().await?;
    inbox.next(1).await?;
    inbox.forget().await?;
    queue.length().await?;
    inbox.leave().await?;
    // The processes delete no stream, so that an empty one may have to stay.
    queue.delete().await.ok();
    Sender::of(url, STREAM)?.length().await
}
