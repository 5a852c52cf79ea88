//! What the loops of processors and workers need of the world. Few verbs, a promise each.

mod acting;

use std::error::Error;
use std::future::Future;

use crate::decide::Plan;
use crate::event::ChainId;
use crate::finality::Heights;
use crate::index::TriggerIndex;
use crate::job::JobId;
use crate::log::{Entry, Position};
use crate::state::{GroupName, Needs, Observation};
use crate::waiting::{WaitingFound, WaitingNeeds};

pub use self::acting::{Inbox, Leases};

/// What stands unjudged, shard by shard, as one look sees it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Survey {
    /// Shards with entries that may be judged now.
    pub ready: Vec<Ready>,
    /// True where entries stand that may not be judged yet, because a transaction that began
    /// before them is still open. No bell will ring for them: nobody may sleep.
    pub held: bool,
}

/// A shard with entries that may be judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ready {
    /// The shard.
    pub shard: ChainId,
    /// How many, at least.
    pub entries: u32,
    /// Whether somebody vouches for the chain. All others together have a bounded share.
    pub is_known: bool,
}

/// The shards' logs, and what is committed for them.
pub trait Shards: Clone + Send + Sync + 'static {
    /// Shards that are ours until the claim is committed or dropped.
    type Claim: Claim<Error = Self::Error>;
    /// Why it did not work.
    type Error: Error + Send + Sync + 'static;

    /// Tells which shards have entries to judge, counting up to `entries_max` of each: of all that
    /// are known, of those that are named, and of others in turn. Takes no lock and no transaction
    /// id.
    fn survey(
        &self,
        named: &[ChainId],
        entries_max: u32,
    ) -> impl Future<Output = Result<Survey, Self::Error>> + Send;

    /// Claims shards with their next entries, at most `entries_max` of all together, each shard's
    /// in the log's order and with no gap. Shards that another holds are passed over; `None` where
    /// that leaves none. One that nothing is to come of is best committed with no plan: dropped, it
    /// may cost its connection.
    fn claim(
        &self,
        shards: &[ChainId],
        entries_max: u32,
    ) -> impl Future<Output = Result<Option<Self::Claim>, Self::Error>> + Send;
}

/// What stands between those who write and those who sleep, where writers ring only for sleepers.
pub trait Gate: Send + Sync + 'static {
    /// Asks that every commit rings from now on, until [`Gate::open`].
    fn shut(&self) -> impl Future<Output = Sleep> + Send;

    /// Says that nobody sleeps here any more. To be called after each sleep.
    fn open(&self);
}

/// Whether the bell can be trusted with a sleep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sleep {
    /// As well as it ever can: sleep.
    Now,
    /// From now on. What was committed before may not have rung: look once more, then sleep.
    AfterALook,
    /// No: somebody is just writing, and may commit without ringing. Look again soon.
    NotNow,
}

/// No gate: writers ring, or do not, without asking who sleeps.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoGate;

impl Gate for NoGate {
    async fn shut(&self) -> Sleep {
        Sleep::Now
    }

    fn open(&self) {}
}

/// A shard's next entries, and where they begin.
#[derive(Clone, Debug)]
pub struct Portion {
    /// The shard.
    pub shard: ChainId,
    /// Where its cursor stands: what is remembered of the shard belongs to one cursor.
    pub cursor: Position,
    /// Whether it was the claimant who moved it there. What anybody else remembers of that cursor
    /// may come from a commit that a crash of the store undid.
    pub is_continued: bool,
    /// The shard's block time at its cursor, unix seconds.
    pub block_time: i64,
    /// How far the chain is at its cursor.
    pub heights: Heights,
    /// Whether events wait on it for a depth.
    pub waits: bool,
    /// The entries to judge. None where others have judged them since the survey.
    pub entries: Vec<Entry>,
}

/// Shards that are ours, with their next entries.
pub trait Claim: Send {
    /// Why it did not work.
    type Error: Error + Send + Sync + 'static;

    /// What is to be judged, shard by shard.
    fn portions(&self) -> &[Portion];

    /// The revision of the set of triggers; it does not change before the claim ends.
    fn triggers_revision(&self) -> i64;

    /// Loads the triggers at that revision.
    fn triggers(&mut self) -> impl Future<Output = Result<TriggerIndex, Self::Error>> + Send;

    /// Loads what the triggers remember of a shard that is ours: each group that is asked for, and
    /// each that holds one of the revised events, with all of its observations at the cursor.
    fn recall(
        &mut self,
        shard: ChainId,
        needs: &Needs,
    ) -> impl Future<Output = Result<Vec<(GroupName, Observation)>, Self::Error>> + Send;

    /// Loads waits of a shard that is ours: those that are reached and those of the events that are
    /// named, each with what the event was at the wait's revision.
    fn waiting(
        &mut self,
        shard: ChainId,
        needs: &WaitingNeeds,
    ) -> impl Future<Output = Result<WaitingFound, Self::Error>> + Send;

    /// Commits a plan for each portion, their cursors with them: all of it once, or nothing of it.
    /// A plan without a cursor leaves its shard as it is. Gives the portions back.
    ///
    /// A crash of the store may undo what was committed last, all of it or nothing; then it is
    /// judged again. Whatever is committed after it by somebody who must not lose it, a lease
    /// for one, makes it last.
    fn commit(
        self,
        plans: &[Plan],
    ) -> impl Future<Output = Result<Vec<Portion>, Self::Error>> + Send;
}

/// What carries the ids of jobs that are due to the workers.
pub trait JobQueue: Clone + Send + Sync + 'static {
    /// Why it did not work.
    type Error: Error + Send + Sync + 'static;

    /// Hands the ids over, at least once, or fails: then a sweep hands them over later.
    fn push(&self, ids: &[JobId]) -> impl Future<Output = Result<(), Self::Error>> + Send;

    /// How many ids wait or are being read.
    fn length(&self) -> impl Future<Output = Result<u64, Self::Error>> + Send;
}
