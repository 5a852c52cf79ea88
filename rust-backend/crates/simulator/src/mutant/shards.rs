//! The processor's door to the store, and what may be wrong with it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use event_engine::decide::Plan;
use event_engine::event::ChainId;
use event_engine::index::TriggerIndex;
use event_engine::log::{Entry, Position, Subject};
use event_engine::port::{Claim, Shards, Survey};
use event_engine::state::{GroupName, Needs, Observation};

use super::Mutant;
use crate::checker::Saw;
use crate::link::Fault;
use crate::store::{Database, FakeClaim, FakeShards, Next, Noted, below_horizon};

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

    async fn survey(&self) -> Result<Survey, Fault> {
        let (world, holder) = (&self.shards.link.world, &self.shards.holder);
        world.checker().survey_begins(holder);
        let survey = self.shards.survey().await;
        let saw = match &survey {
            Ok(survey) if survey.held => Saw::Held,
            Ok(_) => Saw::Nothing,
            Err(_) => Saw::Trouble,
        };
        world.checker().survey_ended(holder, saw);
        let sleeps = self.mutant == Some(Mutant::SleepsAboveHorizon);
        survey.map(|survey| Survey { held: survey.held && !sleeps, ..survey })
    }

    async fn claim(&self, shard: ChainId, entries_max: u32) -> Result<Option<Opened>, Fault> {
        let Some(mut claim) = self.shards.claim(shard, entries_max).await? else {
            return Ok(None);
        };
        let mut revision = claim.triggers_revision();
        if self.mutant == Some(Mutant::StaleIndex) {
            let mut first = self.first_set.lock().unwrap_or_else(PoisonError::into_inner);
            revision = *first.get_or_insert(revision);
        }
        if self.mutant == Some(Mutant::InOrder) {
            claim.entries.iter_mut().for_each(in_order);
        }
        Ok(Some(Opened { claim, mutant: self.mutant, revision, left: Arc::clone(&self.left) }))
    }
}

/// A claim that came through the door.
pub struct Opened {
    claim: FakeClaim,
    mutant: Option<Mutant>,
    revision: i64,
    left: Arc<Mutex<BTreeMap<ChainId, Position>>>,
}

impl Claim for Opened {
    type Error = Fault;

    fn entries(&self) -> &[Entry] {
        self.claim.entries()
    }

    fn cursor(&self) -> Position {
        let (shard, _) = self.claim.shard();
        let left = self.left.lock().unwrap_or_else(PoisonError::into_inner);
        match (self.mutant, left.get(&shard)) {
            (Some(Mutant::CachedState), Some(left)) => *left,
            _ => self.claim.cursor(),
        }
    }

    fn block_time(&self) -> i64 {
        self.claim.block_time()
    }

    fn triggers_revision(&self) -> i64 {
        self.revision
    }

    async fn recall(&mut self, needs: &Needs) -> Result<Vec<(GroupName, Observation)>, Fault> {
        self.claim.recall(needs).await
    }

    async fn triggers(&mut self) -> Result<TriggerIndex, Fault> {
        self.claim.triggers().await
    }

    async fn commit(self, plan: &Plan) -> Result<Vec<Entry>, Fault> {
        if let Some(cursor) = plan.cursor {
            let (shard, _) = self.claim.shard();
            self.left.lock().unwrap_or_else(PoisonError::into_inner).insert(shard, cursor);
        }
        if self.mutant != Some(Mutant::NoOutbox) {
            return self.claim.commit(plan).await;
        }
        let link = self.claim.link().clone();
        let (shard, revision) = self.claim.shard();
        let entries = self.claim.commit_with(plan, &[]).await?;
        let afterwards = link.ask(|| {
            let now_ms = link.world.clock.database_ms();
            link.world.database().jobs.add(shard, revision, &plan.jobs, now_ms);
            Ok(())
        });
        afterwards.await?;
        Ok(entries)
    }
}

/// [`Mutant::SeqOnly`]
fn behind_seq(database: &Database, shard: ChainId, cursor: Position) -> Vec<(Position, Noted)> {
    let visible = database.log.behind(shard, Position::default(), u64::MAX);
    let behind = visible.filter(|(position, _)| position.seq > cursor.seq);
    behind.map(|(position, noted)| (position, noted.clone())).collect()
}

/// [`Mutant::InOrder`]
fn in_order(entry: &mut Entry) {
    if let Subject::Event { outgrown, .. } = &mut entry.subject {
        *outgrown = false;
    }
}
