//! The workers' end of the queue.

use std::time::Duration;

use event_engine::job::JobId;
use event_engine::port::Inbox;
use redis::streams::{
    StreamAutoClaimReply, StreamId, StreamInfoConsumersReply, StreamInfoGroupsReply,
    StreamRangeReply, StreamReadReply,
};
use uuid::Uuid;

use crate::connection::RedisConnection;
use crate::{FIELD, FORMER_STREAM, GROUP, QueueError, Result, StreamName};

/// Time that a read waits for an id.
const BLOCK: Duration = Duration::from_secs(1);
/// Longer than a read blocks: an answer that takes longer means a dead connection.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);
/// Age at which an entry that was read and not removed is taken for the leftover of a worker that
/// died in between. The sweep pushes its job again.
const FORGOTTEN_AFTER: Duration = Duration::from_secs(10);
/// Forgotten entries removed at a time.
const FORGOTTEN_MAX: usize = 1_000;
/// An id that no entry can have, and the id of no entry: ids count from 1970.
const IMPOSSIBLE: &str = "0-0";
const NO_ENTRY: &str = "0-1";
/// Idle time after which no worker of an earlier version is taken to read any more: each read of
/// theirs ends after a second.
const FORMER_LEFT_AFTER: Duration = Duration::from_secs(30);

/// Idle time after which a consumer is taken for that of a worker that is gone.
const GONE_AFTER: Duration = Duration::from_hours(1);

/// A worker's consumer of the stream of due jobs' ids.
pub struct QueueConsumer {
    connection: RedisConnection,
    stream: StreamName,
    consumer: String,
}

impl QueueConsumer {
    /// A consumer that connects when it is first used. `consumer` names the worker.
    ///
    /// # Errors
    /// [`QueueError::Url`]
    pub fn new(url: &str, stream: &StreamName, consumer: &str) -> Result<Self> {
        let connection = RedisConnection::lazy(url, ANSWER_TIMEOUT)?;
        Ok(Self { connection, stream: stream.clone(), consumer: consumer.to_owned() })
    }
}

impl Inbox for QueueConsumer {
    type Error = QueueError;

    /// Waits up to a second. Entries that are no job's id are logged and dropped.
    async fn next(&mut self, ids_max: usize) -> Result<Vec<JobId>> {
        let read: redis::RedisResult<Option<StreamReadReply>> = redis::cmd("XREADGROUP")
            .arg(&["GROUP", GROUP, &self.consumer, "COUNT"])
            .arg(ids_max)
            .arg("BLOCK")
            .arg(u64::try_from(BLOCK.as_millis()).unwrap_or(u64::MAX))
            .arg(&["STREAMS", self.stream.as_str(), ">"])
            .query_async(&mut self.connection)
            .await;
        let entries = match read {
            Ok(reply) => entries_of(reply),
            // Redis is fresh or was wiped.
            Err(error) if error.code() == Some("NOGROUP") => {
                self.create_group().await?;
                return Ok(Vec::new());
            }
            Err(error) => return Err(error.into()),
        };
        self.remove(&entries).await?;
        Ok(entries.iter().filter_map(job_id).collect())
    }

    /// Measured by Redis's clock, which numbers the entries.
    async fn behind(&mut self) -> Result<Duration> {
        let groups: redis::RedisResult<StreamInfoGroupsReply> = redis::cmd("XINFO")
            .arg(&["GROUPS", self.stream.as_str()])
            .query_async(&mut self.connection)
            .await;
        let groups = match groups {
            Ok(reply) => reply.groups,
            // The stream does not exist, or no longer exists.
            Err(error) if error.code() == Some("ERR") => return Ok(Duration::ZERO),
            Err(error) => return Err(error.into()),
        };
        let ours = groups.into_iter().find(|group| group.name == GROUP);
        let read = ours.map_or_else(|| "0-0".to_owned(), |group| group.last_delivered_id);
        let (unread, now): (StreamRangeReply, (u64, u64)) = redis::pipe()
            .cmd("XRANGE")
            .arg(&[self.stream.as_str(), &format!("({read}"), "+", "COUNT", "1"])
            .cmd("TIME")
            .query_async(&mut self.connection)
            .await?;
        let (seconds, micros) = now;
        let now_ms = seconds.saturating_mul(1_000).saturating_add(micros / 1_000);
        let next_ms = unread.ids.first().and_then(|entry| entry.id.split('-').next()?.parse().ok());
        Ok(Duration::from_millis(next_ms.map_or(0, |next_ms| now_ms.saturating_sub(next_ms))))
    }

    /// May wait up to a second, for a read that was dropped and still blocks.
    async fn leave(&mut self) -> Result<()> {
        let read: redis::RedisResult<Option<StreamReadReply>> = redis::cmd("XREADGROUP")
            .arg(&["GROUP", GROUP, &self.consumer, "STREAMS", self.stream.as_str(), "0"])
            .query_async(&mut self.connection)
            .await;
        let entries = match read {
            Ok(reply) => entries_of(reply),
            Err(error) if error.code() == Some("NOGROUP") => return Ok(()),
            Err(error) => return Err(error.into()),
        };
        self.remove(&entries).await?;
        let consumer = self.consumer.clone();
        self.delete_consumer(&consumer).await
    }

    async fn forget(&mut self) -> Result<()> {
        self.create_group().await?;
        self.try_writes().await?;
        let claimed: redis::RedisResult<StreamAutoClaimReply> = redis::cmd("XAUTOCLAIM")
            .arg(&[self.stream.as_str(), GROUP, &self.consumer])
            .arg(u64::try_from(FORGOTTEN_AFTER.as_millis()).unwrap_or(u64::MAX))
            .arg("0")
            .arg("COUNT")
            .arg(FORGOTTEN_MAX)
            .query_async(&mut self.connection)
            .await;
        match claimed {
            Ok(reply) => self.remove(&reply.claimed).await?,
            // It was wiped meanwhile.
            Err(error) if error.code() == Some("NOGROUP") => return Ok(()),
            Err(error) => return Err(error.into()),
        }
        let known: StreamInfoConsumersReply = redis::cmd("XINFO")
            .arg(&["CONSUMERS", self.stream.as_str(), GROUP])
            .query_async(&mut self.connection)
            .await?;
        for consumer in known.consumers {
            // Only a consumer without entries is deleted: the entries of a deleted one would stay
            // for ever. They are claimed above, at most `FORGOTTEN_MAX` at a time.
            let idle = Duration::from_millis(u64::try_from(consumer.idle).unwrap_or(u64::MAX));
            if consumer.pending == 0 && idle > GONE_AFTER {
                self.delete_consumer(&consumer.name).await?;
            }
        }
        self.delete_former_stream().await;
        Ok(())
    }
}

impl QueueConsumer {
    async fn delete_consumer(&mut self, name: &str) -> Result<()> {
        let () = redis::cmd("XGROUP")
            .arg(&["DELCONSUMER", self.stream.as_str(), GROUP, name])
            .query_async(&mut self.connection)
            .await?;
        Ok(())
    }

    /// Deletes the stream of earlier versions once their workers have not read for a while.
    async fn delete_former_stream(&mut self) {
        let known: redis::RedisResult<StreamInfoConsumersReply> = redis::cmd("XINFO")
            .arg(&["CONSUMERS", FORMER_STREAM, GROUP])
            .query_async(&mut self.connection)
            .await;
        let consumers = match known {
            Ok(reply) => reply.consumers,
            // It was never read.
            Err(error) if error.code() == Some("NOGROUP") => Vec::new(),
            // It does not exist, or is hidden from us; an absent Redis is told of elsewhere.
            Err(_) => return,
        };
        let left_ms = FORMER_LEFT_AFTER.as_millis();
        if consumers.iter().all(|consumer| consumer.idle as u128 > left_ms) {
            // A user without the right to DEL leaves it there, which does no harm.
            let _: redis::RedisResult<()> =
                redis::cmd("DEL").arg(FORMER_STREAM).query_async(&mut self.connection).await;
        }
    }

    async fn create_group(&mut self) -> Result<()> {
        let created: redis::RedisResult<()> = redis::cmd("XGROUP")
            .arg(&["CREATE", self.stream.as_str(), GROUP, "0", "MKSTREAM"])
            .query_async(&mut self.connection)
            .await;
        match created {
            // Another worker created it first.
            Err(error) if error.code() == Some("BUSYGROUP") => Ok(()),
            created => Ok(created?),
        }
    }

    /// Adds and removes nothing, by the commands that add and remove.
    async fn try_writes(&mut self) -> Result<()> {
        let added: redis::RedisResult<()> = redis::cmd("XADD")
            .arg(&[self.stream.as_str(), IMPOSSIBLE, FIELD, ""])
            .query_async(&mut self.connection)
            .await;
        match added {
            // That it is impossible is asked last.
            Err(error) if error.code() == Some("ERR") => {}
            added => added?,
        }
        let () = redis::pipe()
            .cmd("XACK")
            .arg(&[self.stream.as_str(), GROUP, NO_ENTRY])
            .ignore()
            .cmd("XDEL")
            .arg(&[self.stream.as_str(), NO_ENTRY])
            .ignore()
            .query_async(&mut self.connection)
            .await?;
        Ok(())
    }

    async fn remove(&mut self, entries: &[StreamId]) -> Result<()> {
        if entries.is_empty() {
            return Ok(());
        }
        let ids: Vec<&str> = entries.iter().map(|entry| entry.id.as_str()).collect();
        let () = redis::pipe()
            .cmd("XACK")
            .arg(self.stream.as_str())
            .arg(GROUP)
            .arg(&ids)
            .ignore()
            .cmd("XDEL")
            .arg(self.stream.as_str())
            .arg(&ids)
            .ignore()
            .query_async(&mut self.connection)
            .await?;
        Ok(())
    }
}

fn entries_of(reply: Option<StreamReadReply>) -> Vec<StreamId> {
    reply.into_iter().flat_map(|reply| reply.keys).flat_map(|key| key.ids).collect()
}

fn job_id(entry: &StreamId) -> Option<JobId> {
    let id: Option<String> = entry.get(FIELD);
    let id = id.and_then(|text| Uuid::try_parse(&text).ok()).map(JobId);
    if id.is_none() {
        tracing::warn!(entry = entry.id, "Queue entry dropped: it holds no job id");
    }
    id
}
