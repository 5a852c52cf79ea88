//! What the worker's loops need of the world.

use std::error::Error;
use std::time::Duration;

use crate::delivery::lease::{AttemptRecord, Expired, Lease, Loaded};
use crate::job::JobId;

/// Leases on jobs: a worker asks for a job here, and tells here what came of it.
pub trait Leases: Clone + Send + Sync + 'static {
    /// Why it did not work.
    type Error: Error + Send + Sync + 'static;

    /// Leases those of `ids` that are due, pending and still wanted. One that is no longer wanted
    /// is cancelled here; one that somebody else has, or that is done, is passed over.
    fn take(
        &self,
        holder: &str,
        ids: &[JobId],
        duration: Duration,
    ) -> impl Future<Output = Result<Vec<Lease>, Self::Error>> + Send;

    /// Loads what leases are about. What does not read takes nothing else with it, and is no error.
    fn load(&self, leases: &[Lease]) -> impl Future<Output = Result<Loaded, Self::Error>> + Send;

    /// Gives leases back whose attempt has not begun after all, each until its delay has passed.
    /// The attempt does not count.
    fn give_back(
        &self,
        holder: &str,
        back: &[(Lease, Duration)],
    ) -> impl Future<Output = Result<(), Self::Error>> + Send;

    /// Records the attempts and moves their jobs on: all of them or none.
    ///
    /// A worker whose lease ran out still records what it saw. It moves nothing, unless it did
    /// deliver and nobody has tried again since: then there is no need to, and a job that its loss
    /// had made dead is delivered.
    fn finish(
        &self,
        holder: &str,
        attempts: &[AttemptRecord],
    ) -> impl Future<Output = Result<(), Self::Error>> + Send;

    /// Tells which leases ran out, at most `leases_max`.
    fn expired(
        &self,
        leases_max: i64,
    ) -> impl Future<Output = Result<Vec<Expired>, Self::Error>> + Send;

    /// Hands out due jobs whose ids nobody has pushed for so long, or not since they became due, at
    /// most `jobs_max`, and marks them pushed.
    fn unpushed(
        &self,
        unpushed_for: Duration,
        jobs_max: i64,
    ) -> impl Future<Output = Result<Vec<JobId>, Self::Error>> + Send;
}

/// A worker's end of the queue.
pub trait Inbox: Send + 'static {
    /// Why it did not work.
    type Error: Error + Send + Sync + 'static;

    /// The next ids, at most `ids_max`; waits a while for the first. It may be dropped while it
    /// waits: what it had read then is pushed again by the sweep.
    fn next(
        &mut self,
        ids_max: usize,
    ) -> impl Future<Output = Result<Vec<JobId>, Self::Error>> + Send;

    /// How long the id that is read next has been waiting; zero where none waits. What was pushed
    /// before it has been read, or was lost.
    fn behind(&mut self) -> impl Future<Output = Result<Duration, Self::Error>> + Send;

    /// Removes what workers that are gone had read, and their names.
    fn forget(&mut self) -> impl Future<Output = Result<(), Self::Error>> + Send;

    /// Takes this worker out of the queue.
    fn leave(&mut self) -> impl Future<Output = Result<(), Self::Error>> + Send;
}
