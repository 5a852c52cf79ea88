//! One shard's turn: claim, decide, commit, until it has no more or has had enough.

use std::sync::{Arc, Mutex, PoisonError};

use event_engine::decide::{Tally, decide};
use event_engine::event::ChainId;
use event_engine::index::TriggerIndex;
use event_engine::port::{Claim, Shards};
use tokio::time::Instant;

use crate::measures::{self, Stages};
use crate::memory::Memory;
use crate::wheel::Audience;

/// Batches of one shard in a row, before its place is given to another.
const BATCHES_IN_A_ROW: usize = 16;

/// Judges shards, whichever is asked for.
pub(crate) struct Judge<S, A> {
    pub(crate) shards: S,
    pub(crate) audience: A,
    /// The triggers as last loaded. Each batch compares their revision first.
    index: Mutex<Arc<TriggerIndex>>,
    memory: Memory,
}

impl<S: Shards, A: Audience> Judge<S, A> {
    pub(crate) fn new(shards: S, audience: A) -> Self {
        Self { shards, audience, index: Mutex::default(), memory: Memory::default() }
    }

    /// Judges what a shard has, for a while. False where there was nothing for us.
    pub(crate) async fn turn(&self, shard: ChainId, entries_max: u32) -> Result<bool, S::Error> {
        for batch in 0..BATCHES_IN_A_ROW {
            let began = Instant::now();
            let claim = self.shards.claim(shard, entries_max).await?;
            let Some(claim) = claim.filter(|claim| !claim.entries().is_empty()) else {
                return Ok(batch > 0);
            };
            let is_last = claim.entries().len() < entries_max as usize;
            let stages = Stages { claim: began.elapsed(), ..Stages::default() };
            self.batch(shard, claim, stages).await.inspect_err(|_| measures::failed(shard))?;
            // What is left, or has come since, the next survey finds without a transaction.
            if is_last {
                break;
            }
        }
        Ok(true)
    }

    async fn batch(
        &self,
        shard: ChainId,
        mut claim: S::Claim,
        mut stages: Stages,
    ) -> Result<(), S::Error> {
        let index = self.index(&mut claim).await?;
        let mut state = self.memory.take(shard, claim.cursor());
        state.begin(claim.block_time());
        let needs = state.needs(claim.entries(), &index);
        if !needs.is_empty() {
            let began = Instant::now();
            let recalled = claim.recall(&needs).await?;
            state.recall(needs, recalled, &index);
            stages.recall = began.elapsed();
        }
        let began = Instant::now();
        let plan = decide(claim.entries(), &index, &mut state);
        stages.decide = began.elapsed();
        let began = Instant::now();
        let entries = claim.commit(&plan).await?;
        stages.commit = began.elapsed();
        measures::batch(shard, &plan, stages);
        if let Some(cursor) = plan.cursor {
            self.memory.keep(shard, cursor, state);
        }
        report(plan.tally);
        let jobs = plan.jobs.iter().map(|job| job.id).collect();
        self.audience.judged(&entries[..plan.tally.entries], jobs);
        Ok(())
    }

    /// The triggers at the claim's revision: those we have, or else loaded anew.
    async fn index(&self, claim: &mut S::Claim) -> Result<Arc<TriggerIndex>, S::Error> {
        let known = Arc::clone(&self.index.lock().unwrap_or_else(PoisonError::into_inner));
        if known.revision() == claim.triggers_revision() {
            return Ok(known);
        }
        let loaded = Arc::new(claim.triggers().await?);
        tracing::info!(revision = loaded.revision(), triggers = loaded.len(), "Triggers loaded");
        *self.index.lock().unwrap_or_else(PoisonError::into_inner) = Arc::clone(&loaded);
        Ok(loaded)
    }
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
