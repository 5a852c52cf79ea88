//! One attempt of one job: from the assignment to its record.

mod jitter;

use std::time::Duration;

use chrono::{TimeDelta, Utc};
use event_engine::delivery::lease::{
    Attempt, AttemptRecord, Disposition, Lease, LeasedJob, Outcome,
};
use event_engine::delivery::retry::RetrySchedule;
use futures::future::BoxFuture;
use service::mask::Masker;
use tokio::time::Instant;

pub use self::jitter::Jitter;
use crate::attempt::{self, Performed, Told};
use crate::measures;
use crate::recorder::LeaseEnd;
use crate::shortage::Shortage;

/// Makes attempts: all that leaves the house goes through it.
pub trait Performer: Send + Sync + 'static {
    /// The rest that must be known of the origin before an attempt takes a place there. `None`:
    /// nothing is to be waited for.
    fn prepare(&self, _action_type: &str, _origin: &str) -> Option<BoxFuture<'static, ()>> {
        None
    }

    /// Makes one attempt, and returns its result and the signal about its destination. It ends
    /// within half a minute, however slow the receiver is.
    ///
    /// # Errors
    /// Nothing was sent, for want of something of this machine: it is no attempt.
    fn perform(&self, assignment: &LeasedJob) -> impl Future<Output = Performed> + Send;
}

/// Time since a job was decided or released after which its attempts count although its host asks
/// for pauses: the longest pause that is honoured.
const PAUSED_FOR_MAX: TimeDelta = TimeDelta::days(1);

/// When a failed attempt is repeated.
#[derive(Clone)]
pub(crate) struct Retries {
    pub(crate) schedule: RetrySchedule,
    pub(crate) jitter: Jitter,
}

impl Retries {
    /// The record of an attempt, with its consequence for the job by the action's own schedule, or
    /// by that of all actions.
    pub(crate) fn record(
        &self,
        lease: Lease,
        action_type: String,
        own: Option<&RetrySchedule>,
        attempt: Attempt,
    ) -> AttemptRecord {
        let schedule = own.unwrap_or(&self.schedule);
        let after_failure = |retry_after, reason: String| {
            let (started, chance) = (lease.attempts_of_schedule(), self.jitter.draw());
            let next = schedule.after_failure(started, retry_after, chance);
            next.map_or(Disposition::Dead(reason), Disposition::Retry)
        };
        let disposition = match attempt.outcome {
            Outcome::Delivered => Disposition::Delivered,
            Outcome::Permanent => {
                let reason = attempt.error.clone();
                Disposition::Dead(reason.unwrap_or_else(|| "refused".to_owned()))
            }
            Outcome::Retryable { retry_after } => {
                after_failure(retry_after, format!("the last of {} attempts failed", lease.attempt))
            }
            Outcome::Lost => after_failure(None, "the last attempt was lost".to_owned()),
        };
        AttemptRecord { lease, action_type, attempt, disposition }
    }
}

/// Acts on assignments and makes the records of the attempts.
pub(crate) struct Acting<P> {
    pub(crate) performer: P,
    pub(crate) retries: Retries,
    pub(crate) shortage: Shortage,
}

impl<P: Performer> Acting<P> {
    /// Makes the attempt, and returns its record and the signal about its destination; or the time
    /// for which its lease is given back, because the attempt does not count: it lacked something
    /// of this machine, or met a pause of its host.
    pub(crate) async fn act(&self, assignment: LeasedJob) -> (LeaseEnd, Told) {
        match self.performer.perform(&assignment).await {
            Ok((attempt, told)) => {
                if told.used_network() {
                    self.shortage.passed(Instant::now());
                }
                if let Told::Paused(_) = told
                    && Utc::now() - assignment.lease.wanted_since < PAUSED_FOR_MAX
                {
                    measures::paused();
                    return (LeaseEnd::GivenBack(assignment.lease, Duration::ZERO), told);
                }
                let LeasedJob { lease, action_type, retry, .. } = assignment;
                let attempt = self.retries.record(lease, action_type, retry.as_ref(), attempt);
                (LeaseEnd::Made(attempt), told)
            }
            Err(not_begun) => {
                measures::not_begun(not_begun.lack);
                let wait = self.shortage.felt(&not_begun, Instant::now());
                // Not all at once: together they would lack it again.
                let wait = wait.mul_f64(1.0 + self.retries.jitter.draw());
                (LeaseEnd::GivenBack(assignment.lease, wait), Told::Unsent)
            }
        }
    }

    /// The record of a lease whose rows cannot be decoded. An operator may still correct them.
    pub(crate) fn unreadable(&self, lease: Lease, problem: &str) -> AttemptRecord {
        let retryable = Outcome::Retryable { retry_after: None };
        let problem = format!("its event or trigger cannot be read: {problem}");
        let problem = attempt::line(&problem, &Masker::default());
        let (attempt, _) = attempt::unsent(retryable, problem);
        self.retries.record(lease, "unknown".to_owned(), None, attempt)
    }
}

#[cfg(test)]
pub(crate) mod tests;
