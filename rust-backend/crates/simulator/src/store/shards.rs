//! The shards' logs behind the engine's port.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use event_engine::decide::Plan;
use event_engine::event::{ChainId, EventName};
use event_engine::index::TriggerIndex;
use event_engine::job::NewJob;
use event_engine::log::{Entry, Position, Subject};
use event_engine::port::{Claim, Shards, Survey};
use event_engine::state::{GroupName, Needs, Observation};

use super::{Database, Hold, Lock, Noted, SessionId};
use crate::link::{Fault, Link};

/// How often a statement that waits for a lock looks again.
const LOCK_POLL: Duration = Duration::from_millis(1);

/// The shards in the fake, for one processor.
#[derive(Clone)]
pub struct FakeShards {
    /// The processor's way to the database.
    pub link: Link,
    /// Names the processor.
    pub holder: Arc<str>,
    /// Which entries come next: [`below_horizon`].
    pub next: Next,
}

/// The entries of a shard that may be judged, by where its cursor stands.
pub type Next = fn(&Database, ChainId, Position) -> Vec<(Position, Noted)>;

/// What lies behind the cursor and below the horizon.
pub fn below_horizon(
    database: &Database,
    shard: ChainId,
    cursor: Position,
) -> Vec<(Position, Noted)> {
    let next = database.log.behind(shard, cursor, database.sessions.horizon());
    next.map(|(position, noted)| (position, noted.clone())).collect()
}

impl Shards for FakeShards {
    type Claim = FakeClaim;
    type Error = Fault;

    async fn survey(&self) -> Result<Survey, Fault> {
        let world = &self.link.world;
        let survey = self.link.ask(|| {
            let database = world.database();
            let horizon = database.sessions.horizon();
            Ok(database.log.survey(&database.cursors, horizon))
        });
        survey.await
    }

    async fn claim(&self, shard: ChainId, entries_max: u32) -> Result<Option<FakeClaim>, Fault> {
        let world = &self.link.world;
        let session = self.link.ask(|| {
            let mut database = world.database();
            let session = database.sessions.begin(&self.holder, true);
            Ok(Session { link: self.link.clone(), id: session })
        });
        let session = session.await?;
        if !session.ask(|database, id| database.sessions.lock(id, Lock::Shard(shard))).await? {
            return Ok(None);
        }
        while !session.ask(|database, id| database.sessions.hold_set(id, Hold::Shared)).await? {
            tokio::time::sleep(LOCK_POLL).await;
        }
        let cursor = session.ask(|database, _| Ok(database.cursor(shard))).await?;
        let revision = session.ask(|database, _| Ok(database.triggers.revision)).await?;
        let next = self.next;
        let noted = session.ask(|database, _| Ok(next(database, shard, cursor)));
        let mut noted = noted.await?;
        noted.truncate(entries_max as usize);
        let block_time = session
            .ask(|database, _| Ok(database.block_times.get(&shard).copied().unwrap_or_default()))
            .await?;
        let (entries, seen) = session.ask(|database, _| Ok(joined(database, noted))).await?;
        Ok(Some(FakeClaim {
            session,
            holder: Arc::clone(&self.holder),
            shard,
            cursor,
            block_time,
            revision,
            entries,
            seen,
        }))
    }
}

/// A shard under our lock.
pub struct FakeClaim {
    session: Session,
    holder: Arc<str>,
    shard: ChainId,
    cursor: Position,
    block_time: i64,
    revision: i64,
    /// What is handed over; a mutant may change it.
    pub(crate) entries: Vec<Entry>,
    seen: BTreeSet<EventName>,
}

/// A plan that was committed, and what it was made of.
#[derive(Debug)]
pub struct Judged<'a> {
    /// Who judged.
    pub holder: &'a str,
    /// The shard.
    pub shard: ChainId,
    /// Where the cursor stood, and where it stands now.
    pub moved: (Position, Position),
    /// The set of triggers.
    pub triggers_revision: i64,
    /// The rows that were there when the claim looked.
    pub seen: &'a BTreeSet<EventName>,
    /// What was decided.
    pub plan: &'a Plan,
}

impl Claim for FakeClaim {
    type Error = Fault;

    fn entries(&self) -> &[Entry] {
        &self.entries
    }

    fn cursor(&self) -> Position {
        self.cursor
    }

    fn block_time(&self) -> i64 {
        self.block_time
    }

    fn triggers_revision(&self) -> i64 {
        self.revision
    }

    async fn recall(&mut self, needs: &Needs) -> Result<Vec<(GroupName, Observation)>, Fault> {
        let shard = self.shard;
        self.session.ask(|database, _| Ok(database.observations.recall(shard, needs))).await
    }

    async fn triggers(&mut self) -> Result<TriggerIndex, Fault> {
        self.session.ask(|database, _| Ok(database.triggers.index())).await
    }

    async fn commit(self, plan: &Plan) -> Result<Vec<Entry>, Fault> {
        self.commit_with(plan, &plan.jobs).await
    }
}

impl FakeClaim {
    /// The processor's way to the database.
    pub fn link(&self) -> &Link {
        &self.session.link
    }

    /// The shard, and the set of triggers that it is judged by.
    pub fn shard(&self) -> (ChainId, i64) {
        (self.shard, self.revision)
    }

    /// Commits a plan with these jobs in it.
    pub async fn commit_with(self, plan: &Plan, jobs: &[NewJob]) -> Result<Vec<Entry>, Fault> {
        let Some(to) = plan.cursor else { return Ok(self.entries) };
        let judged = Judged {
            holder: &self.holder,
            shard: self.shard,
            moved: (self.cursor, to),
            triggers_revision: self.revision,
            seen: &self.seen,
            plan,
        };
        // The first write, and with it a transaction id that holds the horizon until the end.
        self.session.ask(|database, id| database.sessions.xid(id)).await?;
        self.session.ask(|database, id| database.sessions.statement(id)).await?;
        let world = &self.session.link.world;
        let committed = self.session.ask(|database, id| {
            if database.cursor(self.shard) != self.cursor {
                return Err(Fault::ShardLost(self.shard.0));
            }
            let now_ms = world.clock.database_ms();
            database.jobs.add(self.shard, self.revision, jobs, now_ms);
            for (event, below) in &plan.withdrawals {
                database.jobs.withdraw(event, *below);
            }
            database.observations.change(self.shard, &plan.state, plan.block_time);
            database.block_times.insert(self.shard, plan.block_time);
            database.cursors.insert(self.shard, to);
            database.sessions.end(id);
            world.checker().judged(database, &judged);
            world.say(&format!(
                "{} judges {} from {:?} to {to:?}: {} jobs",
                self.holder,
                self.shard,
                self.cursor,
                plan.jobs.len()
            ));
            Ok(())
        });
        committed.await?;
        Ok(self.entries)
    }
}

/// A session with our transaction. Dropping it rolls back, unless its process is dead: then the
/// server finds out by itself.
struct Session {
    link: Link,
    id: SessionId,
}

impl Session {
    async fn ask<T>(
        &self,
        statement: impl FnOnce(&mut Database, SessionId) -> Result<T, Fault> + Send,
    ) -> Result<T, Fault> {
        let world = &self.link.world;
        let asked = self.link.ask(|| {
            let mut database = world.database();
            database.sessions.statement(self.id)?;
            statement(&mut database, self.id)
        });
        asked.await
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        if !self.link.life.is_dead() {
            self.link.world.database().sessions.end(self.id);
        }
    }
}

/// The entries with what their events were at their revisions, and the events whose rows are there.
fn joined(database: &Database, noted: Vec<(Position, Noted)>) -> (Vec<Entry>, BTreeSet<EventName>) {
    let mut seen = BTreeSet::new();
    let mut subject = |position, noted| match noted {
        Noted::Checkpoint(block_number) => Subject::Checkpoint { block_number },
        Noted::Event(name, revision) => {
            let there = database.rows.contains_key(&name);
            let then = database.history.get(&(name.clone(), revision)).filter(|_| there);
            let row = then.map(|row| Box::new(row.event()));
            seen.extend(there.then(|| name.clone()));
            let outgrown = database.log.revises_before(&name, revision, position);
            Subject::Event { name, revision, row, outgrown }
        }
    };
    let entries = noted
        .into_iter()
        .map(|(position, noted)| Entry { position, subject: subject(position, noted) })
        .collect();
    (entries, seen)
}
