//! The loop: survey, judge, sleep.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use event_engine::decide::{Plan, decide};
use event_engine::event::ChainId;
use event_engine::index::TriggerIndex;
use event_engine::job::JobId;
use event_engine::log::Entry;
use event_engine::port::{Claim, Shards};
use futures::{StreamExt as _, stream};
use tokio_util::sync::CancellationToken;

use crate::wake::Wake;

/// Entries in one transaction: enough that its cost is shared, few enough that a large document in
/// each of them still fits in memory.
pub const BATCH_ENTRIES_MAX: u32 = 500;
/// Shards judged at the same time, each on a connection of its own.
pub const SHARDS_AT_ONCE: u32 = 4;
/// Batches of one shard before the others are looked at again.
const BATCHES_IN_A_ROW: usize = 16;
/// The longest sleep: what a lost notification costs at most.
const TICK: Duration = Duration::from_millis(500);
/// The shortest and the longest wait where entries stand that may not be judged yet.
const POLL_MIN: Duration = Duration::from_millis(1);
const POLL_MAX: Duration = Duration::from_millis(20);
/// The longest wait while the store does not answer.
const TROUBLE_MAX: Duration = Duration::from_secs(2);

/// What hears of each batch after it is committed.
pub trait Audience: Send + Sync {
    /// These entries were judged, and these jobs are new.
    fn judged(&self, entries: &[Entry], jobs: Vec<JobId>);
    /// The loop went round.
    fn alive(&self);
}

/// The judging loop over the shards of a store.
pub struct Wheel<S, A> {
    shards: S,
    audience: A,
    wake: Wake,
    /// The triggers as last loaded. Each batch compares their revision first.
    index: Mutex<Arc<TriggerIndex>>,
}

/// What a round came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Round {
    /// Something was judged: look again at once.
    Judged,
    /// Entries stand that are not for us to judge now: look again soon.
    Held,
    /// There is nothing to do until somebody rings.
    Idle,
}

impl<S: Shards, A: Audience> Wheel<S, A> {
    /// A loop over `shards` that `wake` ends the sleeps of.
    pub fn new(shards: S, audience: A, wake: Wake) -> Self {
        Self { shards, audience, wake, index: Mutex::default() }
    }

    /// Turns until `shutdown`; a batch that is under way is finished first.
    pub async fn run(&self, shutdown: &CancellationToken) {
        let mut poll = POLL_MIN;
        let mut trouble = POLL_MIN;
        while !shutdown.is_cancelled() {
            self.audience.alive();
            let pause = match self.round().await {
                Ok(round) => {
                    if trouble > POLL_MIN {
                        tracing::info!("The store answers again");
                        trouble = POLL_MIN;
                    }
                    poll = if round == Round::Held { (poll * 2).min(POLL_MAX) } else { POLL_MIN };
                    match round {
                        Round::Judged => continue,
                        Round::Held => poll / 2,
                        Round::Idle => TICK,
                    }
                }
                Err(error) => {
                    if trouble == POLL_MIN {
                        tracing::error!(%error, "The store does not answer; trying again");
                    }
                    trouble = (trouble * 2).min(TROUBLE_MAX);
                    trouble
                }
            };
            tokio::select! {
                _ = self.wake.sleep(pause) => {}
                () = shutdown.cancelled() => {}
            }
        }
    }

    async fn round(&self) -> Result<Round, S::Error> {
        let survey = self.shards.survey().await?;
        if survey.ready.is_empty() {
            return Ok(if survey.held { Round::Held } else { Round::Idle });
        }
        let outcomes: Vec<Result<bool, S::Error>> = stream::iter(survey.ready)
            .map(|shard| self.shard(shard))
            .buffer_unordered(SHARDS_AT_ONCE as usize)
            .collect()
            .await;
        let mut round = Round::Held;
        for outcome in outcomes {
            // One shard's trouble is told after the others had their turn.
            if outcome? {
                round = Round::Judged;
            }
        }
        Ok(round)
    }

    /// Judges what a shard has, for a while. False where there was nothing for us.
    async fn shard(&self, shard: ChainId) -> Result<bool, S::Error> {
        let mut judged = false;
        for _ in 0..BATCHES_IN_A_ROW {
            let Some(claim) = self.shards.claim(shard, BATCH_ENTRIES_MAX).await? else { break };
            let full = claim.entries().len() >= BATCH_ENTRIES_MAX as usize;
            if claim.entries().is_empty() {
                break;
            }
            self.batch(claim).await?;
            judged = true;
            if !full {
                break;
            }
        }
        Ok(judged)
    }

    async fn batch(&self, mut claim: S::Claim) -> Result<(), S::Error> {
        let index = self.index(&mut claim).await?;
        let plan = decide(claim.entries(), &index);
        let entries = claim.commit(&plan).await?;
        report(&plan);
        self.audience.judged(&entries, plan.jobs.iter().map(|job| job.id).collect());
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

fn report(plan: &Plan) {
    let tally = plan.tally;
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
