//! Tries all that the processes do with Redis, on a stream of its own.

use event_engine::job::JobId;
use event_engine::port::{Inbox as _, JobQueue as _};
use uuid::Uuid;

use crate::{QueueConsumer, Result, Sender, StreamName};

const CONSUMER: &str = "doctor";

/// Pushes and takes an id as processors and workers do, by each of their commands, beside the real
/// queue, and returns the number of ids that wait in that one.
///
/// # Errors
/// That of the first command that failed.
pub async fn rehearse(url: &str, stream: &StreamName) -> Result<u64> {
    let of_rehearsal = stream.of_rehearsal();
    let queue = Sender::new(url, &of_rehearsal)?;
    queue.ping().await?;
    let mut inbox = QueueConsumer::new(url, &of_rehearsal, CONSUMER)?;
    inbox.behind().await?;
    queue.push(&[JobId(Uuid::nil())]).await?;
    inbox.behind().await?;
    inbox.next(1).await?;
    inbox.forget().await?;
    queue.length().await?;
    inbox.leave().await?;
    // The processes delete no stream of theirs, so that an empty one may have to stay.
    queue.delete().await.ok();
    Sender::new(url, stream)?.length().await
}
