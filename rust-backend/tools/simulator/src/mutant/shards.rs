//! The processor's door to the store, and what may be wrong with it.

use std::collections::BTreeMap;
use std::sync::Arc;

use event_engine::decide::Plan;
use event_engine::event::{ChainId, Event};
use event_engine::index::TriggerIndex;
use event_engine::log::{Entry, Position, Subject};
use event_engine::port::{Claim, ShardBatch, Shards, Survey};
use event_engine::state::{GroupName, Needs, Observation};
use event_engine::waiting::{WaitingFound, WaitingNeeds};
use parking_lot::Mutex;

use super::Mutant;
use crate::checker::Saw;
use crate::store::{Database, FakeClaim, FakeShards, Next, Noted, below_horizon};
use crate::world::link::Fault;

/// The shards as one processor sees them.
#[derive(Clone)]
pub struct Door {
    shards: FakeShards,
    mutant: Option<Mutant>,
    /// The first revision of the set of triggers that was seen.
    first_set: Arc<Mutex<Option<i64>>>,
    /// Where the processor left each shard.
    left: Arc<Mutex<BTreeMap<ChainId, Position>>>,
}

impl Door {
    /// The door, with something wrong or nothing.
    pub fn new(shards: FakeShards, mutant: Option<Mutant>) -> Self {
        let next: Next = if mutant == Some(Mutant::SeqOnly) { behind_seq } else { below_horizon };
        Self {
            shards: FakeShards { next, ..shards },
            mutant,
            first_set: Arc::default(),
            left: Arc::default(),
        }
    }
}

impl Shards for Door {
    type Claim = Opened;
    type Error = Fault;

    async fn survey(&self, named: &[ChainId], entries_max: u32) -> Result<Survey, Fault> {
        let (world, holder) = (&self.shards.link.world, &self.shards.holder);
        world.checker().survey_begins(holder);
        let survey = self.shards.survey(named, entries_max).await;
        let saw = match &survey {
            Ok(survey) if survey.held => Saw::Held,
            Ok(_) => Saw::Nothing,
            Err(_) => Saw::Trouble,
        };
        world.checker().survey_ended(holder, saw);
        let sleeps = self.mutant == Some(Mutant::SleepsAboveHorizon);
        survey.map(|survey| Survey { held: survey.held && !sleeps, ..survey })
    }

    fn is_of_rows(error: &Fault) -> bool {
        FakeShards::is_of_rows(error)
    }

    async fn claim(&self, shards: &[ChainId], entries_max: u32) -> Result<Option<Opened>, Fault> {
        let Some(mut claim) = self.shards.claim(shards, entries_max).await? else {
            return Ok(None);
        };
        let mut revision = claim.triggers_revision();
        if self.mutant == Some(Mutant::StaleIndex) {
            let mut first = self.first_set.lock();
            revision = *first.get_or_insert(revision);
        }
        let truth = claim.batches.clone();
        for batch in &mut claim.batches {
            if self.mutant == Some(Mutant::InOrder) {
                batch.entries.iter_mut().for_each(in_order);
            }
            if self.mutant == Some(Mutant::BelievesTheFuture) {
                let events = batch.entries.iter_mut().filter_map(event);
                events.for_each(|event| event.inserted_at_ms = i64::MAX);
            }
            let left = self.left.lock();
            if let (Some(Mutant::CachedState), Some(left)) = (self.mutant, left.get(&batch.shard)) {
                (batch.cursor, batch.is_continued) = (*left, true);
            }
        }
        let left = Arc::clone(&self.left);
        Ok(Some(Opened { claim, truth, mutant: self.mutant, revision, left }))
    }
}

/// A claim that came through the door.
pub struct Opened {
    claim: FakeClaim,
    /// What the store handed over.
    truth: Vec<ShardBatch>,
    mutant: Option<Mutant>,
    revision: i64,
    left: Arc<Mutex<BTreeMap<ChainId, Position>>>,
}

impl Claim for Opened {
    type Error = Fault;

    fn batches(&self) -> &[ShardBatch] {
        self.claim.batches()
    }

    fn triggers_revision(&self) -> i64 {
        self.revision
    }

    async fn recall(
        &mut self,
        shard: ChainId,
        needs: &Needs,
    ) -> Result<Vec<(GroupName, Observation)>, Fault> {
        self.claim.recall(shard, needs).await
    }

    async fn waiting(
        &mut self,
        shard: ChainId,
        needs: &WaitingNeeds,
    ) -> Result<WaitingFound, Fault> {
        let mut found = self.claim.waiting(shard, needs).await?;
        if self.mutant == Some(Mutant::ReleasesOnly) {
            found.named.clear();
        }
        if self.mutant == Some(Mutant::BelievesTheFuture) {
            let events = found.reached.iter_mut().filter_map(|it| it.event.as_mut());
            events.for_each(|event| event.inserted_at_ms = i64::MAX);
        }
        Ok(found)
    }

    async fn triggers(&mut self) -> Result<TriggerIndex, Fault> {
        self.claim.triggers().await
    }

    async fn commit(mut self, plans: &[Plan]) -> Result<Vec<ShardBatch>, Fault> {
        for (batch, plan) in self.truth.iter().zip(plans) {
            if let Some(cursor) = plan.cursor {
                let mut left = self.left.lock();
                left.insert(batch.shard, cursor);
            }
        }
        self.claim.batches = self.truth;
        if self.mutant != Some(Mutant::NoOutbox) {
            return self.claim.commit(plans).await;
        }
        let link = self.claim.link().clone();
        let revision = self.claim.triggers_revision();
        let batches = self.claim.commit_with(plans, false).await?;
        let afterwards = link.ask(|| {
            let now_ms = link.world.clock.database_ms();
            for (batch, plan) in batches.iter().zip(plans) {
                let jobs = &mut link.world.database().judged.jobs;
                jobs.add(batch.shard, revision, &plan.jobs, now_ms);
            }
            Ok(())
        });
        afterwards.await?;
        Ok(batches)
    }
}

/// [`Mutant::SeqOnly`]
fn behind_seq(database: &Database, shard: ChainId, cursor: Position) -> Vec<(Position, Noted)> {
    let visible = database.log.behind(shard, Position::default(), u64::MAX);
    let behind = visible.filter(|(position, _)| position.seq > cursor.seq);
    behind.map(|(position, noted)| (position, noted.clone())).collect()
}

/// [`Mutant::BelievesTheFuture`]
fn event(entry: &mut Entry) -> Option<&mut Event> {
    match &mut entry.subject {
        Subject::Event { row, .. } => row.as_deref_mut(),
        Subject::Heights(_) => None,
    }
}

/// [`Mutant::InOrder`]
fn in_order(entry: &mut Entry) {
    if let Subject::Event { superseded, .. } = &mut entry.subject {
        *superseded = false;
    }
}
