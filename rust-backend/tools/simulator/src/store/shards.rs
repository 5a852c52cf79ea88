//! The shards' logs behind the engine's port.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use event_engine::decide::{Plan, Supersession};
use event_engine::event::{ChainId, EventName};
use event_engine::index::TriggerIndex;
use event_engine::job::{JobId, NewJob};
use event_engine::log::{Entry, Position, Subject};
use event_engine::port::{Claim, ShardBatch, Shards, Survey};
use event_engine::state::{GroupName, Needs, Observation};
use event_engine::waiting::{WaitingFound, WaitingNeeds};

use super::{Database, Hold, Job, Lock, Noted, SessionId, waits};
use crate::world::link::{Fault, Link};

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

    async fn survey(&self, _named: &[ChainId], entries_max: u32) -> Result<Survey, Fault> {
        let world = &self.link.world;
        let survey = self.link.ask(|| {
            let database = world.database();
            let horizon = database.sessions.horizon();
            Ok(database.log.survey(&database.judged.cursors, horizon, entries_max))
        });
        survey.await
    }

    fn is_of_rows(_error: &Fault) -> bool {
        false
    }

    async fn claim(
        &self,
        shards: &[ChainId],
        entries_max: u32,
    ) -> Result<Option<FakeClaim>, Fault> {
        let world = &self.link.world;
        let session = self.link.ask(|| {
            let mut database = world.database();
            let session = database.sessions.begin(&self.holder, true);
            Ok(Session { link: self.link.clone(), id: session })
        });
        let session = session.await?;
        let ours = session.ask(|database, id| {
            let mut lock = |shard: &ChainId| database.sessions.lock(id, Lock::Shard(*shard));
            let locked = shards.iter().map(|shard| Ok((*shard, lock(shard)?)));
            let locked: Vec<(ChainId, bool)> = locked.collect::<Result<_, Fault>>()?;
            Ok(locked.into_iter().filter_map(|(shard, ours)| ours.then_some(shard)).collect())
        });
        let ours: Vec<ChainId> = ours.await?;
        if ours.is_empty() {
            return Ok(None);
        }
        while !session.ask(|database, id| database.sessions.hold_set(id, Hold::Shared)).await? {
            tokio::time::sleep(LOCK_POLL).await;
        }
        let share = (entries_max as usize).div_ceil(ours.len());
        let stored = session.ask(|database, _| {
            let next = |shard: &ChainId| {
                let cursor = database.cursor(*shard);
                let mut noted = (self.next)(database, *shard, cursor);
                noted.truncate(share);
                let batch = ShardBatch {
                    shard: *shard,
                    cursor,
                    is_continued: database.judged.holders.get(shard) == Some(&self.holder),
                    block_time: database.judged.block_times.get(shard).copied().unwrap_or_default(),
                    heights: database.judged.heights.get(shard).copied().unwrap_or_default(),
                    waits: database.judged.waits.keys().any(|(chain, _)| chain == shard),
                    entries: Vec::new(),
                };
                (batch, noted)
            };
            Ok((database.triggers.revision, ours.iter().map(next).collect::<Vec<_>>()))
        });
        let (revision, stored) = stored.await?;
        let joined = session.ask(|database, _| {
            let mut seen = BTreeSet::new();
            let joined = |(batch, noted)| ShardBatch {
                entries: joined(database, noted, &mut seen),
                ..batch
            };
            Ok((stored.into_iter().map(joined).collect(), seen))
        });
        let (batches, seen) = joined.await?;
        let holder = Arc::clone(&self.holder);
        let waiting = BTreeSet::new();
        Ok(Some(FakeClaim { session, holder, revision, batches, seen, waiting }))
    }
}

/// Shards under our locks.
pub struct FakeClaim {
    session: Session,
    holder: Arc<str>,
    revision: i64,
    /// What is handed over; a mutant may change it.
    pub(crate) batches: Vec<ShardBatch>,
    seen: BTreeSet<EventName>,
    /// Waiting events whose rows were there when they were asked for.
    waiting: BTreeSet<EventName>,
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
    /// The rows of waiting events that were there when it asked for these.
    pub waiting: &'a BTreeSet<EventName>,
    /// What was decided.
    pub plan: &'a Plan,
}

impl Claim for FakeClaim {
    type Error = Fault;

    fn batches(&self) -> &[ShardBatch] {
        &self.batches
    }

    fn triggers_revision(&self) -> i64 {
        self.revision
    }

    async fn recall(
        &mut self,
        shard: ChainId,
        needs: &Needs,
    ) -> Result<Vec<(GroupName, Observation)>, Fault> {
        self.session.ask(|database, _| Ok(database.judged.observations.recall(shard, needs))).await
    }

    async fn waiting(
        &mut self,
        shard: ChainId,
        needs: &WaitingNeeds,
    ) -> Result<WaitingFound, Fault> {
        let found = self.session.ask(|database, _| Ok(waits::recall(database, shard, needs)));
        let found = found.await?;
        let there = found.reached.iter().filter(|waiting| waiting.event.is_some());
        self.waiting.extend(there.map(|waiting| waiting.name.event.clone()));
        Ok(found)
    }

    async fn triggers(&mut self) -> Result<TriggerIndex, Fault> {
        self.session.ask(|database, _| Ok(database.triggers.index())).await
    }

    async fn commit(self, plans: &[Plan]) -> Result<Vec<ShardBatch>, Fault> {
        self.commit_with(plans, true).await
    }
}

impl FakeClaim {
    /// The processor's way to the database.
    pub fn link(&self) -> &Link {
        &self.session.link
    }

    /// Commits plans, with their jobs or without.
    pub async fn commit_with(self, plans: &[Plan], outbox: bool) -> Result<Vec<ShardBatch>, Fault> {
        if plans.iter().all(|plan| plan.cursor.is_none()) {
            return Ok(self.batches);
        }
        // The first write, and with it a transaction id that holds the horizon until the end.
        self.session.ask(|database, id| database.sessions.xid(id)).await?;
        self.session.ask(|database, id| database.sessions.statement(id)).await?;
        let world = &self.session.link.world;
        let committed = self.session.ask(|database, id| {
            let lost = |batch: &&ShardBatch| database.cursor(batch.shard) != batch.cursor;
            if let Some(lost) = self.batches.iter().find(lost) {
                return Err(Fault::ShardLost(lost.shard.0));
            }
            let mut checker = world.checker();
            database.write_unflushed(|| checker.remember());
            for (batch, plan) in self.batches.iter().zip(plans) {
                if let Some(to) = plan.cursor {
                    let judged = Judged {
                        holder: &self.holder,
                        shard: batch.shard,
                        moved: (batch.cursor, to),
                        triggers_revision: self.revision,
                        seen: &self.seen,
                        waiting: &self.waiting,
                        plan,
                    };
                    judged.store(database, outbox, world.clock.database_ms());
                    checker.judged(database, &judged);
                    world.say(&judged.to_string());
                }
            }
            database.sessions.end(id);
            Ok(())
        });
        committed.await?;
        Ok(self.batches)
    }
}

impl Judged<'_> {
    fn store(&self, database: &mut Database, outbox: bool, now_ms: i64) {
        let Self { shard, plan, .. } = *self;
        let jobs = if outbox { &plan.jobs[..] } else { &[] };
        let judged = &mut database.judged;
        judged.jobs.add(shard, self.triggers_revision, jobs, now_ms);
        for Supersession { event, below, .. } in &plan.supersessions {
            judged.jobs.cancel_superseded(event, *below);
        }
        let superseded = |job: &&Job| {
            let NewJob { event, revision, .. } = &job.decided;
            plan.supersessions.iter().any(|gone| gone.event == *event && *revision < gone.below)
        };
        let superseded = judged.jobs.by_id.values().filter(superseded);
        let superseded: Vec<JobId> = superseded.map(|job| job.decided.id).collect();
        judged.observations.change(shard, &plan.state, plan.block_time);
        waits::change(&mut judged.waits, shard, &plan.waits);
        judged.block_times.insert(shard, plan.block_time);
        judged.heights.insert(shard, plan.heights);
        judged.cursors.insert(shard, self.moved.1);
        judged.holders.insert(shard, self.holder.into());
        database.retract(&superseded, now_ms);
    }
}

impl fmt::Display for Judged<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { holder, shard, moved: (from, to), plan, .. } = self;
        write!(f, "{holder} judges {shard} from {from:?} to {to:?}: {} jobs", plan.jobs.len())
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

/// The entries with what their events were at their revisions; adds the events whose rows are
/// there to `seen`.
fn joined(
    database: &Database,
    noted: Vec<(Position, Noted)>,
    seen: &mut BTreeSet<EventName>,
) -> Vec<Entry> {
    let mut subject = |position, noted| match noted {
        Noted::Heights(heights) => Subject::Heights(heights),
        Noted::Event(name, revision) => {
            let there = database.rows.contains_key(&name);
            let then = database.history.get(&(name.clone(), revision)).filter(|_| there);
            let row = then.map(|row| Box::new(row.event()));
            seen.extend(there.then(|| name.clone()));
            let superseded = database.log.revises_before(&name, revision, position);
            Subject::Event { name, revision, row, superseded }
        }
    };
    let entries = noted.into_iter();
    entries.map(|(position, noted)| Entry { position, subject: subject(position, noted) }).collect()
}
