//! The sweep: due jobs that were not pushed, leases that ran out, and jobs whose hold has ended. It
//! makes Redis a mere hint.
//!
//! It tries to write to PostgreSQL and to Redis even where nothing is due, so its failure tells
//! that nothing can be delivered.

use std::collections::BTreeMap;
use std::time::Duration;

use event_engine::delivery::lease::{Expired, Outcome, Released};
use event_engine::job::JobId;
use event_engine::port::{Inbox, JobQueue, Leases};
use service::health::{Heartbeat, PartProblem};
use service::outage::Outage;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::act::Retries;
use crate::attempt;
use crate::measures;
use crate::recorder;

/// Between two sweeps: how late a retry can be.
const PERIOD: Duration = Duration::from_millis(250);
/// A due job whose id was pushed so long before the ids that wait now was lost on its way.
const LOST_AFTER: Duration = Duration::from_secs(1);
/// Ids pushed in one sweep, fewer where as many wait already.
const PUSHED_MAX: u64 = 10_000;
/// Ids pushed in each sweep, however many wait: what was lost, and what is due again, must not wait
/// until readers have caught up with processors.
const PUSHED_ALWAYS: u64 = 200;
/// A lease that ran out is taken back after it was seen for so long. Where a commit was not
/// answered for longer than a lease, its leases are seen only when they have run out; their holder
/// is first given the time to disown them.
const SEEN_FOR: Duration = Duration::from_secs(3);
/// Leases taken back in one sweep.
const EXPIRED_MAX: i64 = 1_000;
/// Sweeps between two looks for jobs whose hold has ended, while there are none.
const RELEASE_EVERY: u32 = 4;
/// Sweeps between two looks for entries of the queue that a dead worker left.
const FORGET_EVERY: u32 = 40;

/// Sweeps until `shutdown`.
pub(crate) struct Sweep<L, Q, I> {
    pub(crate) leases: L,
    pub(crate) queue: Q,
    pub(crate) inbox: I,
    pub(crate) retries: Retries,
    /// Reports the sweep's failure to `/ready`.
    pub(crate) heartbeat: Heartbeat,
    /// Leases that ran out, by job and attempt, and since when they are seen.
    pub(crate) expired: BTreeMap<(JobId, i32), Instant>,
    /// The latest step through the held jobs.
    pub(crate) released: Released,
    /// The failure of the latest look for forgotten entries.
    pub(crate) unforgotten: Option<String>,
}

impl<L: Leases, Q: JobQueue, I: Inbox> Sweep<L, Q, I> {
    pub(crate) async fn run(mut self, shutdown: CancellationToken) {
        let mut round = 0_u32;
        let mut outage = Outage::default();
        loop {
            tokio::select! {
                biased;
                () = shutdown.cancelled() => return,
                () = tokio::time::sleep(PERIOD) => {}
            }
            let swept = self.sweep(round).await;
            let problem = swept.as_ref().err().map(ToString::to_string);
            self.heartbeat.set_problem(problem.map(|says| PartProblem { says, stops: true }));
            match swept {
                Ok(()) if outage.ends() => tracing::info!("The sweep works again"),
                Err(error) if outage.begins() => {
                    tracing::warn!(%error, "The sweep failed; trying again");
                }
                Ok(()) | Err(_) => {}
            }
            round = round.wrapping_add(1);
        }
    }

    /// Fails with the first failure, after all that goes on without the step that failed.
    async fn sweep(&mut self, round: u32) -> anyhow::Result<()> {
        self.take_back_expired().await?;
        if round.is_multiple_of(FORGET_EVERY) || self.unforgotten.is_some() {
            self.unforgotten = self.inbox.forget().await.err().map(|error| error.to_string());
        }
        // What waits in the queue already need not be pushed again on top.
        let waiting = self.queue.length().await?;
        let room = PUSHED_MAX.saturating_sub(waiting).max(PUSHED_ALWAYS);
        // Without an answer, ids that wait are pushed again, which does no harm.
        let behind = self.inbox.behind().await;
        let unpushed_for = behind.as_ref().copied().unwrap_or_default().saturating_add(LOST_AFTER);
        let due = self.leases.unpushed(unpushed_for, i64::try_from(room)?).await?;
        if !due.is_empty() {
            self.queue.push(&due).await?;
        }
        measures::swept(waiting, due.len());
        let released = self.release(round).await;
        behind?;
        released?;
        match &self.unforgotten {
            Some(error) => anyhow::bail!("{error}"),
            None => Ok(()),
        }
    }

    /// Takes a step through the held jobs: each second, and at once again while jobs are released.
    async fn release(&mut self, round: u32) -> Result<(), L::Error> {
        if round.is_multiple_of(RELEASE_EVERY) || self.released.jobs > 0 {
            self.released = self.leases.release(self.released.next).await?;
        }
        Ok(())
    }

    async fn take_back_expired(&mut self) -> anyhow::Result<()> {
        for expired in self.seen_long_enough().await? {
            let (lease, holder) = (expired.lease, expired.holder);
            tracing::warn!(
                job = %lease.id, attempt = lease.attempt, holder,
                "A lease ran out; its attempt counts as lost"
            );
            let error = "the worker ended before it could record the result".to_owned();
            let attempt = attempt::of(Outcome::Lost, None, Some(error));
            let action_type = expired.action_type.unwrap_or_else(|| "unknown".to_owned());
            let lost = [self.retries.record(lease, action_type, expired.retry.as_ref(), attempt)];
            self.leases.finish(&holder, &lost).await?;
            recorder::tell(&lost);
        }
        Ok(())
    }

    async fn seen_long_enough(&mut self) -> anyhow::Result<Vec<Expired>> {
        let (mut expired, now) = (self.leases.expired(EXPIRED_MAX).await?, Instant::now());
        let name = |it: &Expired| (it.lease.id, it.lease.attempt);
        let seen = expired.iter().map(|it| {
            let since = self.expired.get(&name(it)).copied();
            (name(it), since.unwrap_or(now))
        });
        self.expired = seen.collect();
        expired.retain(|it| self.expired[&name(it)] + SEEN_FOR <= now);
        Ok(expired)
    }
}
