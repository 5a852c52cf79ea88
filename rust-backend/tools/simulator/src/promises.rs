//! What the engine's ports promise, as tests that the fakes and the real stores both have to pass:
//! so what is proved over the fakes holds where it matters.
//!
//! A promise is a function over a [`Bed`] or a [`Wire`], which brings the port under test and does
//! what others do to its store: writers, an operator, an accident.

pub mod judging;
pub mod leasing;
pub mod queueing;

use std::collections::BTreeMap;

use event_engine::decide::decide;
use event_engine::delivery::job_state::JobState;
use event_engine::event::ChainId;
use event_engine::finality::Finality;
use event_engine::job::JobId;
use event_engine::log::Entry;
use event_engine::port::{Claim, Inbox, JobQueue, Leases, Shards};
use event_engine::state::ShardState;

/// The chain of most promises.
pub const CHAIN: ChainId = ChainId(1);

/// A store under test, empty, and what others do to it.
///
/// An event is named by its id alone here. Its first letter tells its chain: `a…` is on
/// [`CHAIN`], `b…` on the next.
pub trait Bed {
    /// The processors' port.
    type Shards: Shards;
    /// The workers' port.
    type Leases: Leases;
    /// A writer's open transaction.
    type Transaction;

    /// The shards as `holder` works on them.
    fn shards(&self, holder: &str) -> Self::Shards;

    /// The leases.
    fn leases(&self) -> Self::Leases;

    /// Puts a trigger with one action in force that matches everything.
    fn apply(&self) -> impl Future<Output = ()>;

    /// Puts the same trigger in force with another finality.
    fn apply_at(&self, finality: Finality) -> impl Future<Output = ()>;

    /// Disables that trigger.
    fn disable(&self) -> impl Future<Output = ()>;

    /// Removes that trigger.
    fn remove(&self) -> impl Future<Output = ()>;

    /// Begins a writer's transaction.
    fn begin(&self) -> impl Future<Output = Self::Transaction>;

    /// Inserts an event.
    fn insert(&self, transaction: &mut Self::Transaction, id: &str) -> impl Future<Output = ()>;

    /// Says of an event whether the chain has taken it back.
    fn set_invalidated(
        &self,
        transaction: &mut Self::Transaction,
        id: &str,
        invalidated: bool,
    ) -> impl Future<Output = ()>;

    /// Makes an event of [`CHAIN`] say that it is about another agent, in the same block.
    fn correct(
        &self,
        transaction: &mut Self::Transaction,
        id: &str,
        agent: u64,
    ) -> impl Future<Output = ()>;

    /// Moves the checkpoint of [`CHAIN`].
    fn set_checkpoint(
        &self,
        transaction: &mut Self::Transaction,
        block: i64,
    ) -> impl Future<Output = ()>;

    /// Deletes an event.
    fn delete(&self, transaction: &mut Self::Transaction, id: &str) -> impl Future<Output = ()>;

    /// Commits a writer's transaction.
    fn commit(&self, transaction: Self::Transaction) -> impl Future<Output = ()>;

    /// Rolls it back.
    fn roll_back(&self, transaction: Self::Transaction) -> impl Future<Output = ()>;

    /// Ends every session, as an administrator or a crash of the server does.
    fn cut(&self) -> impl Future<Output = ()>;

    /// The state of each job, in one word.
    fn states(&self) -> impl Future<Output = BTreeMap<JobId, JobState>>;
}

/// A queue under test, empty, and what befalls it.
pub trait Wire {
    /// The senders' end.
    type Queue: JobQueue;
    /// The readers' end.
    type Inbox: Inbox;

    /// The senders' end.
    fn queue(&self) -> Self::Queue;

    /// The end of the reader of that name.
    fn inbox(&self, name: &str) -> Self::Inbox;

    /// Deletes everything.
    fn wipe(&self) -> impl Future<Output = ()>;
}

/// Inserts events in a transaction of their own.
async fn inserted<B: Bed>(bed: &B, ids: &[&str]) {
    let mut transaction = bed.begin().await;
    for id in ids {
        bed.insert(&mut transaction, id).await;
    }
    bed.commit(transaction).await;
}

/// Claims a shard. Who held it may have let go a moment ago, so this tries again for a while.
async fn claimed<B: Bed>(
    bed: &B,
    shard: ChainId,
    entries_max: u32,
) -> <B::Shards as Shards>::Claim {
    let shards = bed.shards("test");
    loop {
        if let Some(claim) = shards.claim(&[shard], entries_max).await.expect("the store answers") {
            return claim;
        }
        tokio::task::yield_now().await;
    }
}

/// Judges all that may be judged on [`CHAIN`], and gives the new jobs.
async fn judged<B: Bed>(bed: &B) -> Vec<JobId> {
    let mut claim = claimed(bed, CHAIN, 1_000).await;
    let index = claim.triggers().await.expect("triggers");
    let [batch] = claim.batches() else { panic!("one batch: {:?}", claim.batches()) };
    let mut state = ShardState::default();
    state.begin(batch);
    if let Some(needs) = state.waiting_needs(batch) {
        state.recall_waiting(claim.waiting(CHAIN, &needs).await.expect("waits"));
    }
    let plan = decide(entries(&claim), &index, &mut state);
    let jobs = plan.jobs.iter().map(|job| job.id).collect();
    claim.commit(&[plan]).await.expect("committed");
    jobs
}

/// The entries of a claim on one shard.
fn entries(claim: &impl Claim) -> &[Entry] {
    match claim.batches() {
        [batch] => &batch.entries,
        batches => panic!("one batch: {batches:?}"),
    }
}

/// Puts the trigger in force, inserts an event, and judges it: one job.
async fn one_job<B: Bed>(bed: &B) -> JobId {
    bed.apply().await;
    inserted(bed, &["a1"]).await;
    // Beside a transaction of somebody else that is just ending, it is not to be had yet.
    loop {
        if let [job] = judged(bed).await[..] {
            return job;
        }
        tokio::task::yield_now().await;
    }
}

async fn state<B: Bed>(bed: &B, job: JobId) -> JobState {
    bed.states().await[&job]
}
