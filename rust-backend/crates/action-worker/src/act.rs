//! One attempt of one job: from the assignment to its record.

use std::time::Duration;

use event_engine::delivery::lease::{
    Attempt, AttemptRecord, Disposition, Lease, LeasedJob, Outcome,
};
use event_engine::delivery::retry::RetrySchedule;
use service::mask::Masker;
use tokio::time::Instant;

use crate::attempt::{self, NotBegun, Told};
use crate::jitter::Jitter;
use crate::measures;
use crate::recorder::Ended;
use crate::shortage::Shortage;

/// Makes attempts: all that leaves the house goes through it.
pub trait Performer: Send + Sync + 'static {
    /// Makes one attempt, and returns its result and the signal about its destination. It ends
    /// within half a minute, however slow the receiver is.
    ///
    /// # Errors
    /// Nothing was sent, for want of something of this machine: it is no attempt.
    fn perform(
        &self,
        assignment: &LeasedJob,
    ) -> impl Future<Output = Result<(Attempt, Told), NotBegun>> + Send;
}

/// When a failed attempt is repeated.
#[derive(Clone, Debug)]
pub(crate) struct Retries {
    pub(crate) schedule: RetrySchedule,
    pub(crate) jitter: Jitter,
}

impl Retries {
    pub(crate) fn after_failure(
        &self,
        started: u32,
        retry_after: Option<Duration>,
    ) -> Option<Duration> {
        self.schedule.after_failure(started, retry_after, self.jitter.draw())
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
    /// for which its lease is given back.
    pub(crate) async fn act(&self, assignment: LeasedJob) -> (Ended, Told) {
        match self.performer.perform(&assignment).await {
            Ok((attempt, told)) => {
                self.shortage.passed(Instant::now());
                let attempt = self.recorded(assignment.lease, assignment.action_type, attempt);
                (Ended::Made(attempt), told)
            }
            Err(not_begun) => {
                measures::not_begun(not_begun.lack);
                let wait = self.shortage.felt(&not_begun, Instant::now());
                // Not all at once: together they would lack it again.
                let wait = wait.mul_f64(1.0 + self.retries.jitter.draw());
                (Ended::NotBegun(assignment.lease, wait), Told::Nothing)
            }
        }
    }

    /// The record of a lease whose rows cannot be decoded. An operator may still correct them.
    pub(crate) fn unreadable(&self, lease: Lease, problem: &str) -> AttemptRecord {
        let retryable = Outcome::Retryable { retry_after: None };
        let problem = format!("what it is about does not read: {problem}");
        let problem = attempt::line(&problem, &Masker::default());
        let (attempt, _) = attempt::unsent(retryable, problem);
        self.recorded(lease, "unknown".to_owned(), attempt)
    }

    fn recorded(&self, lease: Lease, action_type: String, attempt: Attempt) -> AttemptRecord {
        let disposition = self.disposition(&lease, &attempt);
        AttemptRecord { lease, action_type, attempt, disposition }
    }

    fn disposition(&self, lease: &Lease, attempt: &Attempt) -> Disposition {
        let started = u32::try_from(lease.attempt).unwrap_or(u32::MAX);
        let retry_after = match attempt.outcome {
            Outcome::Delivered => return Disposition::Delivered,
            Outcome::Permanent => {
                let reason = attempt.error.clone();
                return Disposition::Dead(reason.unwrap_or_else(|| "refused".to_owned()));
            }
            Outcome::Retryable { retry_after } => retry_after,
            Outcome::Lost => None,
        };
        match self.retries.after_failure(lease.attempts_of_schedule(), retry_after) {
            Some(delay) => Disposition::Retry(delay),
            None => Disposition::Dead(format!("the last of {started} attempts failed")),
        }
    }
}
