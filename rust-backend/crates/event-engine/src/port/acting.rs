//! The interface of the worker's loops to the store and the queue.

use std::error::Error;
use std::time::Duration;

use crate::delivery::lease::{AttemptRecord, Expired, HeldSet, Lease, Loaded, Released};
use crate::job::JobId;

/// Leases on jobs: a worker takes a job here, and records its attempt here.
pub trait Leases: Clone + Send + Sync + 'static {
    /// The reason of a failure.
    type Error: Error + Send + Sync + 'static;

    /// True if the store answered that the call failed: then nothing of the call was done.
    fn is_refusal(error: &Self::Error) -> bool;

    /// Leases those of `ids` that are due, waiting and still wanted. Cancels the unwanted ones and
    /// ends the stale ones; makes a job held if its destination is held or its trigger disabled;
    /// skips jobs that are leased by others or done.
    fn take(
        &self,
        holder: &str,
        ids: &[JobId],
        duration: Duration,
    ) -> impl Future<Output = Result<Vec<Lease>, Self::Error>> + Send;

    /// Loads the events and actions of leases. A row that cannot be decoded affects only its own
    /// lease and is no error.
    fn load(&self, leases: &[Lease]) -> impl Future<Output = Result<Loaded, Self::Error>> + Send;

    /// Gives back leases whose attempt has not begun, each due again after its delay. The attempt
    /// does not count.
    fn give_back(
        &self,
        holder: &str,
        back: &[(Lease, Duration)],
    ) -> impl Future<Output = Result<(), Self::Error>> + Send;

    /// Gives back all leases that `holder` has on these jobs, as [`Self::give_back`] does without a
    /// delay: it took them by a call that was not answered, so that no attempt has begun. Waits for
    /// a [`Self::take`] of theirs that is still under way.
    fn disown(
        &self,
        holder: &str,
        ids: &[JobId],
    ) -> impl Future<Output = Result<(), Self::Error>> + Send;

    /// Records the attempts and moves their jobs on: all of them or nothing.
    ///
    /// A worker whose lease ran out still records its attempt. It moves the job only if it did
    /// deliver and no other attempt has been made since: the job is then delivered, even if
    /// the lost lease had made it dead.
    fn finish(
        &self,
        holder: &str,
        attempts: &[AttemptRecord],
    ) -> impl Future<Output = Result<(), Self::Error>> + Send;

    /// Lists leases that ran out, at most `leases_max`.
    fn expired(
        &self,
        leases_max: i64,
    ) -> impl Future<Output = Result<Vec<Expired>, Self::Error>> + Send;

    /// Takes a step through the held jobs, behind a set of them. Jobs whose hold has ended are due,
    /// some of each set, the first decided first; jobs of a removed trigger are cancelled.
    fn release(
        &self,
        after: Option<HeldSet>,
    ) -> impl Future<Output = Result<Released, Self::Error>> + Send;

    /// Returns due jobs whose ids were not pushed for so long, or not since they became due, at
    /// most `jobs_max`, and marks them pushed.
    fn unpushed(
        &self,
        unpushed_for: Duration,
        jobs_max: i64,
    ) -> impl Future<Output = Result<Vec<JobId>, Self::Error>> + Send;
}

/// A worker's end of the queue.
pub trait Inbox: Send + 'static {
    /// The reason of a failure.
    type Error: Error + Send + Sync + 'static;

    /// The next ids, at most `ids_max`; waits a while for the first. It may be dropped while it
    /// waits: the sweep pushes again the ids it had read.
    fn next(
        &mut self,
        ids_max: usize,
    ) -> impl Future<Output = Result<Vec<JobId>, Self::Error>> + Send;

    /// The time that the next id has been waiting; zero if the queue is empty. All ids pushed
    /// before it have been read, or were lost.
    fn behind(&mut self) -> impl Future<Output = Result<Duration, Self::Error>> + Send;

    /// Removes the ids that dead workers had read, and their names. Fails also where ids could not
    /// be added or removed.
    fn forget(&mut self) -> impl Future<Output = Result<(), Self::Error>> + Send;

    /// Removes this worker from the queue.
    fn leave(&mut self) -> impl Future<Output = Result<(), Self::Error>> + Send;
}
