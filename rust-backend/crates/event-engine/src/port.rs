//! The interface of processors and workers to the store and the queue: few verbs, one promise each.

mod acting;

use std::error::Error;

use crate::decide::Plan;
use crate::event::ChainId;
use crate::finality::Heights;
use crate::index::TriggerIndex;
use crate::job::JobId;
use crate::log::{Entry, Position};
use crate::state::{GroupName, Needs, Observation};
use crate::waiting::{WaitingFound, WaitingNeeds};

pub use self::acting::{Inbox, Leases};

/// Unjudged entries, shard by shard, at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Survey {
    /// Shards with entries that may be judged now.
    pub ready: Vec<Ready>,
    /// True if entries stand that may not be judged yet, because a transaction that began before
    /// them is still open. No notification announces its end, so the processor must poll.
    pub held: bool,
}

/// A shard with entries that may be judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ready {
    /// The shard.
    pub shard: ChainId,
    /// At least so many entries.
    pub entries: u32,
    /// True if a listed, configured, named or read chain. All others share a bounded part.
    pub is_known: bool,
}

/// The shards' logs, and the commits of their plans.
pub trait Shards: Clone + Send + Sync + 'static {
    /// A hold on shards until it is committed or dropped.
    type Claim: Claim<Error = Self::Error>;
    /// The reason of a failure.
    type Error: Error + Send + Sync + 'static;

    /// Finds shards with entries to judge: all known ones, those named, and others in turn. Counts
    /// up to `entries_max` of each. Takes no lock and no transaction id.
    fn survey(
        &self,
        named: &[ChainId],
        entries_max: u32,
    ) -> impl Future<Output = Result<Survey, Self::Error>> + Send;

    /// Claims shards with their next entries, at most `entries_max` together, each shard's in the
    /// log's order and without a gap. Skips shards that another processor holds; `None` if no
    /// shard is left. A claim without anything to store is best committed with no plan:
    /// dropping it may cost its connection.
    fn claim(
        &self,
        shards: &[ChainId],
        entries_max: u32,
    ) -> impl Future<Output = Result<Option<Self::Claim>, Self::Error>> + Send;

    /// True if the failure is of the rows that were judged: other shards' rows may do.
    fn is_of_rows(error: &Self::Error) -> bool;
}

/// The gate between writers and sleeping processors, in the mode where writers notify only
/// sleepers.
pub trait Gate: Send + Sync + 'static {
    /// Asks writers to notify at every commit from now on, until [`Gate::open`].
    fn shut(&self) -> impl Future<Output = Sleep> + Send;

    /// Ends the sleep that the gate was shut for. To be called after each sleep.
    fn open(&self);
}

/// The reliability of notifications for a sleep that only they end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sleep {
    /// Reliable, as far as they ever are: sleep.
    Now,
    /// Reliable from now on. An earlier commit may not have notified: survey again, then sleep.
    AfterALook,
    /// Unreliable: a writer is active and may commit without notifying. Survey again soon.
    NotNow,
}

/// A shard's next entries, and the state of the shard before them.
#[derive(Clone, Debug)]
pub struct ShardBatch {
    /// The shard.
    pub shard: ChainId,
    /// The shard's cursor. Cached state belongs to one cursor.
    pub cursor: Position,
    /// True if the claimant itself moved the cursor there. State cached by any other process may
    /// come from a commit that a crash of the store undid.
    pub is_continued: bool,
    /// The shard's block time at its cursor, unix seconds.
    pub block_time: i64,
    /// The chain's heights at its cursor.
    pub heights: Heights,
    /// True if events on it wait for a depth.
    pub waits: bool,
    /// The entries to judge. Empty if others have judged them since the survey.
    pub entries: Vec<Entry>,
}

/// A hold on shards, with their next entries.
pub trait Claim: Send {
    /// The reason of a failure.
    type Error: Error + Send + Sync + 'static;

    /// The entries to judge, shard by shard.
    fn batches(&self) -> &[ShardBatch];

    /// The revision of the set of triggers; it does not change before the claim ends.
    fn triggers_revision(&self) -> i64;

    /// Loads the triggers at that revision.
    fn triggers(&mut self) -> impl Future<Output = Result<TriggerIndex, Self::Error>> + Send;

    /// Loads the triggers' state of a claimed shard: each group asked for, and each group that
    /// holds a revised event, with all its observations at the cursor.
    fn recall(
        &mut self,
        shard: ChainId,
        needs: &Needs,
    ) -> impl Future<Output = Result<Vec<(GroupName, Observation)>, Self::Error>> + Send;

    /// Loads waits of a claimed shard: the reached ones and those of the named events, each with
    /// the event's content at the wait's revision.
    fn waiting(
        &mut self,
        shard: ChainId,
        needs: &WaitingNeeds,
    ) -> impl Future<Output = Result<WaitingFound, Self::Error>> + Send;

    /// Commits a plan for each batch together with their cursors: all of it once, or nothing. A
    /// plan without a cursor leaves its shard as it is. Returns the batches.
    ///
    /// A crash of the store may undo the last commit, all of it or nothing; its entries are then
    /// judged again. Any later commit that waits for the disk, such as a lease, makes it durable.
    fn commit(
        self,
        plans: &[Plan],
    ) -> impl Future<Output = Result<Vec<ShardBatch>, Self::Error>> + Send;
}

/// The queue that carries ids of due jobs to the workers.
pub trait JobQueue: Clone + Send + Sync + 'static {
    /// The reason of a failure.
    type Error: Error + Send + Sync + 'static;

    /// Pushes the ids at least once, or fails: then a sweep pushes them later.
    fn push(&self, ids: &[JobId]) -> impl Future<Output = Result<(), Self::Error>> + Send;

    /// The number of ids that wait or are being read.
    fn length(&self) -> impl Future<Output = Result<u64, Self::Error>> + Send;
}
