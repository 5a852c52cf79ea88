//! Judges batches of some shards: claims them, decides, commits, and repeats while they have more.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use event_engine::decide::{JOBS_MAX, Plan, Tally, decide};
use event_engine::event::ChainId;
use event_engine::index::TriggerIndex;
use event_engine::port::{Claim, ShardBatch, Shards};
use event_engine::state::ShardState;
use parking_lot::Mutex;
use tokio::time::Instant;

use crate::measures;
use crate::processor_loop::{BATCH_ENTRIES_MAX, BatchObserver};
use crate::state_cache::{OBSERVATIONS_MAX, StateCache};

/// Batches of the same shards in a row, before their place is given to others.
const BATCHES_IN_A_ROW: usize = 16;

/// Judges shards on request.
pub(crate) struct Judge<S, O> {
    pub(crate) shards: S,
    pub(crate) observer: O,
    /// The triggers as last loaded. Each batch compares their revision with its claim's.
    index: Mutex<Arc<TriggerIndex>>,
    /// Held while a batch loads them, so that no other one does.
    loading: tokio::sync::Mutex<()>,
    cache: StateCache,
    /// The cache of unknown shards: no number of them displaces a known one's state.
    cache_of_unknown: StateCache,
}

impl<S: Shards, O: BatchObserver> Judge<S, O> {
    pub(crate) fn new(shards: S, observer: O) -> Self {
        Self {
            shards,
            observer,
            index: Mutex::default(),
            loading: tokio::sync::Mutex::default(),
            cache: StateCache::new(OBSERVATIONS_MAX),
            cache_of_unknown: StateCache::new(OBSERVATIONS_MAX / 10),
        }
    }

    /// Judges the entries of shards that are all known or all unknown, in a bounded number of
    /// batches. Returns the judged shards; the others had no entries or are held by another.
    pub(crate) async fn judge(
        &self,
        shards: &[ChainId],
        entries_max: u32,
        is_known: bool,
    ) -> Result<BTreeSet<ChainId>, S::Error> {
        let mut judged = BTreeSet::new();
        // Small batches follow a failure, and each that succeeds doubles the next.
        let in_a_row = if entries_max < BATCH_ENTRIES_MAX { 1 } else { BATCHES_IN_A_ROW };
        for _ in 0..in_a_row {
            let began = Instant::now();
            let Some(claim) = self.shards.claim(shards, entries_max).await? else { break };
            let entries: usize = claim.batches().iter().map(|batch| batch.entries.len()).sum();
            if entries == 0 {
                claim.commit(&[]).await?;
                break;
            }
            judged.extend(self.judge_claim(claim, began.elapsed(), is_known).await?);
            // The next survey finds the rest without a transaction.
            if entries < entries_max as usize {
                break;
            }
        }
        Ok(judged)
    }

    async fn judge_claim(
        &self,
        mut claim: S::Claim,
        claimed: Duration,
        is_known: bool,
    ) -> Result<Vec<ChainId>, S::Error> {
        let cache = if is_known { &self.cache } else { &self.cache_of_unknown };
        let Some(index) = self.index(&mut claim).await? else {
            claim.commit(&[]).await?;
            return Ok(Vec::new());
        };
        let began = Instant::now();
        let mut states = self.recalled(&mut claim, &index, cache).await?;
        let (recalled, began) = (began.elapsed(), Instant::now());
        let plans = plans(claim.batches(), &index, &mut states);
        let (decided, began) = (began.elapsed(), Instant::now());
        let batches = claim.commit(&plans).await?;
        measures::stages(claimed, recalled, decided, began.elapsed());
        let jobs = plans.iter().flat_map(|plan| &plan.jobs).map(|job| job.id);
        self.observer.on_jobs(jobs.collect());
        // Lets the pusher send them before the bookkeeping.
        tokio::task::yield_now().await;
        let mut judged = Vec::with_capacity(batches.len());
        for ((batch, plan), state) in batches.iter().zip(&plans).zip(states) {
            let Some(cursor) = plan.cursor else { continue };
            // A cursor that stays does not tell if a crash undid the batch.
            if !plan.is_unfinished {
                cache.put(batch.shard, cursor, state);
            }
            measures::judged(batch, plan, is_known);
            report(plan.tally);
            self.observer.on_judged(&batch.entries[..plan.tally.entries]);
            judged.push(batch.shard);
        }
        Ok(judged)
    }

    /// The states of the shards, with the observations and waits that their entries need.
    async fn recalled(
        &self,
        claim: &mut S::Claim,
        index: &TriggerIndex,
        cache: &StateCache,
    ) -> Result<Vec<ShardState>, S::Error> {
        let mut states: Vec<ShardState> = claim.batches().iter().map(|it| cache.take(it)).collect();
        for (number, state) in states.iter_mut().enumerate() {
            let batch = &claim.batches()[number];
            let shard = batch.shard;
            state.begin(batch);
            if let Some(needs) = state.waiting_needs(batch) {
                state.recall_waiting(claim.waiting(shard, &needs).await?);
            }
            let needs = state.needs(&claim.batches()[number].entries, index);
            if !needs.is_empty() {
                let recalled = claim.recall(shard, &needs).await?;
                state.recall(needs, recalled, index);
            }
        }
        Ok(states)
    }

    /// The triggers at the claim's revision, loaded again if it moved. `None` while another batch
    /// loads them: a claim that waited for that would count as stalled.
    async fn index(&self, claim: &mut S::Claim) -> Result<Option<Arc<TriggerIndex>>, S::Error> {
        let last = Arc::clone(&self.index.lock());
        if last.revision() == claim.triggers_revision() {
            return Ok(Some(last));
        }
        let Ok(_loading) = self.loading.try_lock() else { return Ok(None) };
        let loaded = Arc::new(claim.triggers().await?);
        let (revision, triggers) = (loaded.revision(), loaded.len());
        tracing::info!(revision, triggers, "Triggers loaded");
        *self.index.lock() = Arc::clone(&loaded);
        Ok(Some(loaded))
    }
}

/// A plan for each shard's batch. Beyond [`JOBS_MAX`] of all together, the remaining plans are
/// empty and their entries left to the next claim.
fn plans(batches: &[ShardBatch], index: &TriggerIndex, states: &mut [ShardState]) -> Vec<Plan> {
    let mut jobs = 0;
    let plan = |(batch, state): (&ShardBatch, &mut ShardState)| {
        let plan =
            if jobs < JOBS_MAX { decide(&batch.entries, index, state) } else { Plan::default() };
        jobs += plan.jobs.len();
        plan
    };
    batches.iter().zip(states).map(plan).collect()
}

fn report(tally: Tally) {
    if tally.gone > 0 {
        tracing::warn!(events = tally.gone, "Events were deleted before they were judged");
    }
    if tally.incomparable > 0 {
        tracing::debug!(
            conditions = tally.incomparable,
            "Conditions had an operand that is missing or not comparable"
        );
    }
}
