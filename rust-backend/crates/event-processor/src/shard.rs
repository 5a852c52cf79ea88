//! One turn: claim some shards, decide, commit, until they have no more or have had enough.

use std::sync::Arc;

use event_engine::decide::{JOBS_MAX, Plan, Tally, decide};
use event_engine::event::ChainId;
use event_engine::index::TriggerIndex;
use event_engine::port::{Claim, Portion, Shards};
use event_engine::state::ShardState;
use parking_lot::Mutex;
use tokio::time::Instant;

use crate::measures::{self, Stages};
use crate::memory::{Memory, OBSERVATIONS_MAX};
use crate::wheel::Audience;

/// Batches of the same shards in a row, before their place is given to others.
const BATCHES_IN_A_ROW: usize = 16;

/// Judges shards, whichever are asked for.
pub(crate) struct Judge<S, A> {
    pub(crate) shards: S,
    pub(crate) audience: A,
    /// The triggers as last loaded. Each batch compares their revision first.
    index: Mutex<Arc<TriggerIndex>>,
    /// Held by whoever loads them: one is enough.
    loading: tokio::sync::Mutex<()>,
    memory: Memory,
    /// Of the shards that nobody vouches for: no number of them takes a known one's place.
    memory_of_unknown: Memory,
}

impl<S: Shards, A: Audience> Judge<S, A> {
    pub(crate) fn new(shards: S, audience: A) -> Self {
        Self {
            shards,
            audience,
            index: Mutex::default(),
            loading: tokio::sync::Mutex::default(),
            memory: Memory::of(OBSERVATIONS_MAX),
            memory_of_unknown: Memory::of(OBSERVATIONS_MAX / 10),
        }
    }

    /// Judges what some shards have, which are all known or all not, for a while. Gives those that
    /// were judged: for the others there was nothing, or somebody else has them.
    pub(crate) async fn turn(
        &self,
        shards: &[ChainId],
        entries_max: u32,
        is_known: bool,
    ) -> Result<Vec<ChainId>, S::Error> {
        let mut judged = Vec::new();
        for _ in 0..BATCHES_IN_A_ROW {
            let began = Instant::now();
            let Some(claim) = self.shards.claim(shards, entries_max).await? else { break };
            let entries: usize = claim.portions().iter().map(|portion| portion.entries.len()).sum();
            if entries == 0 {
                claim.commit(&[]).await?;
                break;
            }
            let took = Stages { claim: began.elapsed(), ..Stages::default() };
            judged.extend(self.batch(claim, took, is_known).await?);
            // What is left, or has come since, the next survey finds without a transaction.
            if entries < entries_max as usize {
                break;
            }
        }
        judged.sort_unstable();
        judged.dedup();
        Ok(judged)
    }

    async fn batch(
        &self,
        mut claim: S::Claim,
        mut took: Stages,
        is_known: bool,
    ) -> Result<Vec<ChainId>, S::Error> {
        let memory = if is_known { &self.memory } else { &self.memory_of_unknown };
        let Some(index) = self.index(&mut claim).await? else {
            claim.commit(&[]).await?;
            return Ok(Vec::new());
        };
        let mut states = self.recalled(&mut claim, &index, memory, &mut took).await?;
        let began = Instant::now();
        let plans = decided(claim.portions(), &index, &mut states);
        took.decide = began.elapsed();
        let began = Instant::now();
        let portions = claim.commit(&plans).await?;
        took.commit = began.elapsed();
        measures::stages(took);
        let jobs = plans.iter().flat_map(|plan| &plan.jobs).map(|job| job.id);
        self.audience.decided(jobs.collect());
        // So that they are on their way before we go on.
        tokio::task::yield_now().await;
        let mut judged = Vec::with_capacity(portions.len());
        for ((portion, plan), state) in portions.iter().zip(&plans).zip(states) {
            let Some(cursor) = plan.cursor else { continue };
            // Where the cursor stays, it does not tell whether a crash undid the batch.
            if !plan.is_unfinished {
                memory.keep(portion.shard, cursor, state);
            }
            measures::judged(portion, plan, is_known);
            report(plan.tally);
            self.audience.judged(&portion.entries[..plan.tally.entries]);
            judged.push(portion.shard);
        }
        Ok(judged)
    }

    /// The states of the shards, with all that their next entries need.
    async fn recalled(
        &self,
        claim: &mut S::Claim,
        index: &TriggerIndex,
        memory: &Memory,
        took: &mut Stages,
    ) -> Result<Vec<ShardState>, S::Error> {
        let began = Instant::now();
        let mut states = Vec::with_capacity(claim.portions().len());
        let (mut waiting, mut lacking) = (Vec::new(), Vec::new());
        for portion in claim.portions() {
            let mut state = memory.take(portion);
            state.begin(portion);
            if let Some(needs) = state.waiting_needs(portion) {
                waiting.push((states.len(), portion.shard, needs));
            }
            states.push(state);
        }
        for (place, shard, needs) in waiting {
            states[place].recall_waiting(claim.waiting(shard, &needs).await?);
        }
        for (place, portion) in claim.portions().iter().enumerate() {
            let needs = states[place].needs(&portion.entries, index);
            if !needs.is_empty() {
                lacking.push((place, portion.shard, needs));
            }
        }
        for (place, shard, needs) in lacking {
            let recalled = claim.recall(shard, &needs).await?;
            states[place].recall(needs, recalled, index);
        }
        took.recall = began.elapsed();
        Ok(states)
    }

    /// The triggers at the claim's revision: those we have, or else loaded anew. `None` where they
    /// are just being loaded for another batch: waiting for it, a claim would count as stalled.
    async fn index(&self, claim: &mut S::Claim) -> Result<Option<Arc<TriggerIndex>>, S::Error> {
        let Some(known) = self.known(claim.triggers_revision()) else {
            let Ok(_loading) = self.loading.try_lock() else { return Ok(None) };
            let loaded = Arc::new(claim.triggers().await?);
            let (revision, triggers) = (loaded.revision(), loaded.len());
            tracing::info!(revision, triggers, "Triggers loaded");
            *self.index.lock() = Arc::clone(&loaded);
            return Ok(Some(loaded));
        };
        Ok(Some(known))
    }

    fn known(&self, revision: i64) -> Option<Arc<TriggerIndex>> {
        let known = self.index.lock();
        (known.revision() == revision).then(|| Arc::clone(&known))
    }
}

/// A plan for each portion. Together they stay about as small as one may be: what comes after that
/// is left to the next batch.
fn decided(portions: &[Portion], index: &TriggerIndex, states: &mut [ShardState]) -> Vec<Plan> {
    let mut jobs = 0;
    let plan = |(portion, state): (&Portion, &mut ShardState)| {
        let plan =
            if jobs < JOBS_MAX { decide(&portion.entries, index, state) } else { Plan::default() };
        jobs += plan.jobs.len();
        plan
    };
    portions.iter().zip(states).map(plan).collect()
}

fn report(tally: Tally) {
    if tally.gone > 0 {
        tracing::warn!(events = tally.gone, "Events were deleted before they were judged");
    }
    if tally.incomparable > 0 {
        tracing::debug!(
            conditions = tally.incomparable,
            "Conditions met an operand that is missing or does not compare"
        );
    }
}
