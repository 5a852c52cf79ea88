//! The worker's way to ids, and what may be wrong with it.

use std::time::Duration;

use event_engine::job::JobId;
use event_engine::port::Inbox;

use super::Mutant;
use crate::queue::FakeInbox;
use crate::world::link::Fault;

/// Ids as one worker reads them.
pub struct Ids {
    inbox: FakeInbox,
    mutant: Option<Mutant>,
}

impl Ids {
    /// The inbox, with something wrong or nothing.
    pub fn new(inbox: FakeInbox, mutant: Option<Mutant>) -> Self {
        Self { inbox, mutant }
    }
}

impl Inbox for Ids {
    type Error = Fault;

    async fn next(&mut self, ids_max: usize) -> Result<Vec<JobId>, Fault> {
        if self.mutant != Some(Mutant::RedisFence) {
            return self.inbox.next(ids_max).await;
        }
        let mut read = self.inbox.numbered(ids_max).await?;
        let mut stream = self.inbox.link.world.stream();
        read.retain(|(number, _)| *number > stream.fence);
        stream.fence = read.iter().map(|(number, _)| *number).fold(stream.fence, u64::max);
        Ok(read.into_iter().map(|(_, id)| id).collect())
    }

    async fn behind(&mut self) -> Result<Duration, Fault> {
        self.inbox.behind().await
    }

    async fn forget(&mut self) -> Result<(), Fault> {
        self.inbox.forget().await
    }

    async fn leave(&mut self) -> Result<(), Fault> {
        self.inbox.leave().await
    }
}
