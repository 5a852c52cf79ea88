//! The reader of the queue: records when each job's id is in Redis.

use std::sync::Arc;
use std::time::{Duration, Instant};

use action_queue::StreamName;
use anyhow::{Context as _, Result, bail};
use event_engine::job::JobId;
use redis::AsyncConnectionConfig;
use redis::aio::MultiplexedConnection;
use redis::streams::StreamReadReply;
use tokio::task::JoinHandle;
use uuid::Uuid;

use super::Servers;
use crate::load::Ledger;
use crate::options::System;
use crate::yardstick;

/// Time that a read waits for an entry.
const BLOCK_MS: u64 = 1_000;
/// Longer than a read blocks.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);
/// Entries of one read.
const TOGETHER: usize = 1_000;

/// Reads pushed ids and records them. Our stream keeps its entries for a worker; the yardstick's
/// list has no other reader.
pub(crate) struct Arrivals(JoinHandle<Result<()>>);

impl Drop for Arrivals {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Arrivals {
    pub(crate) async fn watch(
        servers: &Servers,
        system: System,
        ledger: Arc<Ledger>,
    ) -> Result<Self> {
        let config = AsyncConnectionConfig::new().set_response_timeout(Some(ANSWER_TIMEOUT));
        let connection = redis::Client::open(servers.redis_url())?
            .get_multiplexed_async_connection_with_config(&config)
            .await
            .context("the private Redis")?;
        Ok(Self(match system {
            System::Ours(_) => {
                let name = StreamName::of(&event_store::database_id(&servers.pool).await?);
                tokio::spawn(stream(connection, name, ledger))
            }
            System::Yardstick(_) => tokio::spawn(list(connection, ledger)),
        }))
    }

    /// Fails if the reader has ended.
    pub(crate) fn check(&self) -> Result<()> {
        if self.0.is_finished() {
            bail!("the queue could not be read any more");
        }
        Ok(())
    }
}

async fn stream(
    mut connection: MultiplexedConnection,
    name: StreamName,
    ledger: Arc<Ledger>,
) -> Result<()> {
    let mut last = "0".to_owned();
    loop {
        let reply: Option<StreamReadReply> = redis::cmd("XREAD")
            .arg("COUNT")
            .arg(TOGETHER)
            .arg("BLOCK")
            .arg(BLOCK_MS)
            .arg(&["STREAMS", name.as_str(), &last])
            .query_async(&mut connection)
            .await?;
        let at = Instant::now();
        let keys = reply.into_iter().flat_map(|reply| reply.keys);
        let entries: Vec<_> = keys.flat_map(|key| key.ids).collect();
        if let Some(entry) = entries.last() {
            last.clone_from(&entry.id);
        }
        let jobs = entries.iter().filter_map(|entry| {
            let text: String = entry.get("job")?;
            Uuid::try_parse(&text).ok().map(JobId)
        });
        ledger.seen(jobs, at);
    }
}

async fn list(mut connection: MultiplexedConnection, ledger: Arc<Ledger>) -> Result<()> {
    loop {
        let popped: Option<(String, Vec<String>)> = redis::cmd("BLMPOP")
            .arg(BLOCK_MS / 1_000)
            .arg(&["1", yardstick::QUEUE, "RIGHT", "COUNT"])
            .arg(TOGETHER)
            .query_async(&mut connection)
            .await?;
        let at = Instant::now();
        let payloads = popped.into_iter().flat_map(|(_, payloads)| payloads);
        ledger.seen(payloads.filter_map(|payload| yardstick::job_id(&payload)), at);
    }
}
