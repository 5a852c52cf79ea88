//! One attempt of one job: from the assignment to what is recorded.

use std::time::Duration;

use chrono::Utc;
use event_engine::delivery::lease::{self, Assignment, AttemptStatus, Lease};
use event_engine::delivery::retry::{Next, RetrySchedule};
use event_engine::trigger::action::ActionConfig;
use service::mask::Masker;
use tokio::time::Instant;
use url::Url;

use crate::attempt::{Attempt, NotBegun, Outcome, Told};
use crate::jitter::Jitter;
use crate::lack::Lack;
use crate::measures;
use crate::recorder::Ended;
use crate::sending::body::{Body, EventRow, Message, TriggerName};
use crate::sending::response;
use crate::sending::secret::SecretContext;
use crate::sending::webhook::{WebhookRequest, WebhookSender};
use crate::shortage::Shortage;

/// Makes attempts: all that leaves the house goes through it.
pub trait Performer: Send + Sync + 'static {
    /// Makes one attempt, and says what came of it and what it told of its destination. It ends
    /// within half a minute, whatever the receiver does.
    ///
    /// # Errors
    /// Nothing was sent, for want of something of this machine: it is no attempt.
    fn perform(
        &self,
        assignment: &Assignment,
    ) -> impl Future<Output = Result<(Attempt, Told), NotBegun>> + Send;
}

/// Performs webhooks.
pub struct Webhooks {
    /// Sends them where that is permitted.
    pub sender: WebhookSender,
    /// Where secrets are kept.
    pub secrets: SecretContext,
}

impl Performer for Webhooks {
    async fn perform(&self, assignment: &Assignment) -> Result<(Attempt, Told), NotBegun> {
        let (url, secret) = match &assignment.action {
            Ok(ActionConfig::Webhook { url, secret }) => (url, secret),
            Err(problem) => {
                let problem = format!("its configuration does not read: {problem}");
                return Ok(unsent(Outcome::Permanent, problem));
            }
        };
        match (Url::parse(url), self.secrets.resolve(secret)) {
            (Ok(url), Ok(signer)) => {
                let body = body(assignment);
                let job = assignment.lease.id;
                let request = WebhookRequest { url: &url, job, body: &body, signer: &signer };
                let attempt = self.sender.send(&request, Utc::now()).await?;
                let told = match (attempt.outcome, attempt.http_status) {
                    (Outcome::Delivered, _) => Told::Success,
                    (_, None) => Told::Silence,
                    (_, Some(_)) => Told::Nothing,
                };
                Ok((attempt, told))
            }
            (Err(error), _) => Ok(unsent(Outcome::Permanent, format!("url: {error}"))),
            (_, Err(error)) => match Lack::of(&error) {
                Some(lack) => {
                    let problem = response::line(&error.to_string(), &Masker::default());
                    Err(NotBegun { lack, problem })
                }
                // The operator may still provide it.
                None => Ok(unsent(Outcome::Retryable { retry_after: None }, error.to_string())),
            },
        }
    }
}

/// When a failed attempt is repeated.
#[derive(Clone, Debug)]
pub(crate) struct Retries {
    pub(crate) schedule: RetrySchedule,
    pub(crate) jitter: Jitter,
}

impl Retries {
    pub(crate) fn after_failure(&self, started: u32, retry_after: Option<Duration>) -> Next {
        self.schedule.after_failure(started, retry_after, self.jitter.draw())
    }
}

/// Acts on assignments, and says what is recorded of it.
pub(crate) struct Acting<P> {
    pub(crate) performer: P,
    pub(crate) retries: Retries,
    pub(crate) shortage: Shortage,
}

impl<P: Performer> Acting<P> {
    /// Makes the attempt, and says what is recorded of it and what it told of its destination; or
    /// for how long its lease is given back.
    pub(crate) async fn act(&self, assignment: Assignment) -> (Ended, Told) {
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

    /// What is recorded of a lease whose rows do not read. Somebody may still correct them.
    pub(crate) fn unreadable(&self, lease: Lease, problem: &str) -> lease::Attempt {
        let retryable = Outcome::Retryable { retry_after: None };
        let problem = format!("what it is about does not read: {problem}");
        let problem = response::line(&problem, &Masker::default());
        let (attempt, _) = unsent(retryable, problem);
        self.recorded(lease, "unknown".to_owned(), attempt)
    }

    fn recorded(&self, lease: Lease, action_type: String, attempt: Attempt) -> lease::Attempt {
        let started = u32::try_from(lease.attempt).unwrap_or(u32::MAX);
        let (status, outcome) = match attempt.outcome {
            Outcome::Delivered => (AttemptStatus::Delivered, lease::Outcome::Delivered),
            Outcome::Permanent => {
                let reason = attempt.error.clone().unwrap_or_else(|| "refused".to_owned());
                (AttemptStatus::Failed, lease::Outcome::Dead(reason))
            }
            Outcome::Retryable { retry_after } => {
                let next = self.retries.after_failure(lease.attempts_of_schedule(), retry_after);
                let outcome = match next {
                    Next::Retry { delay } => lease::Outcome::Retry(delay),
                    Next::Dead => {
                        lease::Outcome::Dead(format!("the last of {started} attempts failed"))
                    }
                };
                (AttemptStatus::Failed, outcome)
            }
        };
        lease::Attempt {
            lease,
            action_type,
            status,
            outcome,
            duration: Some(attempt.duration),
            http_status: attempt.http_status,
            error: attempt.error,
            response: attempt.response,
        }
    }
}

fn body(assignment: &Assignment) -> Body {
    let lease = &assignment.lease;
    let trigger = TriggerName {
        id: lease.trigger.0.0,
        name: &assignment.trigger_name,
        version: lease.trigger.1,
    };
    let event = EventRow {
        event: &assignment.event,
        created_at: assignment.event_created_at,
        topics: assignment.topics.as_deref(),
        log_data: assignment.log_data.as_deref(),
    };
    let state = assignment.readings.as_deref();
    let retracts = lease.retracts.zip(assignment.reorg.as_ref());
    let (timestamp, finality) = (lease.created_at, assignment.finality);
    let reincluded = assignment.reincluded.as_ref();
    Message { timestamp, trigger, event, finality, state, retracts, reincluded }.body()
}

fn unsent(outcome: Outcome, error: String) -> (Attempt, Told) {
    let attempt = Attempt {
        outcome,
        http_status: None,
        duration: Duration::ZERO,
        error: Some(error),
        response: None,
    };
    (attempt, Told::Nothing)
}
