//! The fake of Redis: a stream of ids that may be wiped, doubled and shuffled.

use std::time::Duration;

use event_engine::job::JobId;
use event_engine::port::{Inbox, JobQueue};

use crate::world::link::{Fault, Link};

/// How long a read waits for an id.
const BLOCK: Duration = Duration::from_secs(1);

/// What Redis holds.
#[derive(Debug, Default)]
pub struct Stream {
    /// The ids that wait.
    pub entries: Vec<Entry>,
    /// The number of the last entry ever added; a wipe begins anew.
    pub latest: u64,
    /// The highest number that a worker has read, as a mutant remembers it beyond every wipe.
    pub fence: u64,
    /// The share of ids that are added twice.
    pub doubled: f64,
    /// The share of ids that overtake others.
    pub shuffled: f64,
}

/// An id that waits.
#[derive(Clone, Copy, Debug)]
pub struct Entry {
    /// Its number.
    pub number: u64,
    /// The id.
    pub id: JobId,
    /// Since when, by the world's clock.
    pub since: Duration,
}

impl Stream {
    /// Forgets everything; numbers begin anew.
    pub fn wipe(&mut self) {
        self.entries.clear();
        self.latest = 0;
    }
}

/// The senders' end, for one process.
#[derive(Clone)]
pub struct FakeQueue {
    /// The process's way to Redis.
    pub link: Link,
}

impl JobQueue for FakeQueue {
    type Error = Fault;

    async fn push(&self, ids: &[JobId]) -> Result<(), Fault> {
        let world = &self.link.world;
        let pushed = self.link.ask(|| {
            let mut stream = world.stream();
            for id in ids {
                let times = 1 + u8::from(world.dice.chance(stream.doubled));
                for _ in 0..times {
                    stream.latest += 1;
                    let (number, since) = (stream.latest, world.clock.elapsed());
                    let entry = Entry { number, id: *id, since };
                    let length = stream.entries.len();
                    let overtakes = length > 0 && world.dice.chance(stream.shuffled);
                    let place = if overtakes {
                        world.dice.between(0, length as u64 - 1)
                    } else {
                        length as u64
                    };
                    stream.entries.insert(usize::try_from(place).unwrap_or(length), entry);
                }
            }
            world.arrived.notify_waiters();
            Ok(())
        });
        pushed.await
    }

    async fn length(&self) -> Result<u64, Fault> {
        let world = &self.link.world;
        self.link.ask(|| Ok(world.stream().entries.len() as u64)).await
    }
}

/// The readers' end, for one worker.
pub struct FakeInbox {
    /// The worker's way to Redis.
    pub link: Link,
}

impl FakeInbox {
    /// The next ids with their numbers.
    pub async fn numbered(&mut self, ids_max: usize) -> Result<Vec<(u64, JobId)>, Fault> {
        let world = &self.link.world;
        let until = tokio::time::Instant::now() + BLOCK;
        loop {
            let arrived = world.arrived.notified();
            let read = self.link.ask(|| {
                let mut stream = world.stream();
                let read = stream.entries.len().min(ids_max);
                let read = stream.entries.drain(..read);
                Ok(read.map(|entry| (entry.number, entry.id)).collect::<Vec<_>>())
            });
            let read = read.await?;
            let in_vain = read.is_empty() && tokio::time::timeout_at(until, arrived).await.is_ok();
            if !in_vain {
                return Ok(read);
            }
        }
    }
}

impl Inbox for FakeInbox {
    type Error = Fault;

    async fn next(&mut self, ids_max: usize) -> Result<Vec<JobId>, Fault> {
        Ok(self.numbered(ids_max).await?.into_iter().map(|(_, id)| id).collect())
    }

    async fn behind(&mut self) -> Result<Duration, Fault> {
        let world = &self.link.world;
        let behind = self.link.ask(|| {
            let next = world.stream().entries.first().map(|entry| entry.since);
            Ok(next.map_or(Duration::ZERO, |since| world.clock.elapsed().saturating_sub(since)))
        });
        behind.await
    }

    async fn forget(&mut self) -> Result<(), Fault> {
        self.link.ask(|| Ok(())).await
    }

    async fn leave(&mut self) -> Result<(), Fault> {
        self.link.ask(|| Ok(())).await
    }
}
