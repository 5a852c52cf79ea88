//! One attempt of one job: from the assignment to what is recorded.

use chrono::Utc;
use event_engine::action::ActionConfig;
use event_engine::retry::{Next, RetrySchedule};
use event_store::assignments::Assignment;
use event_store::leases::{self, AttemptStatus, Lease};
use url::Url;

use crate::attempt::{Attempt, Outcome};
use crate::body::{Body, EventRow, Matched, TriggerName};
use crate::destinations::Told;
use crate::response;
use crate::secret::SecretContext;
use crate::webhook::{WebhookRequest, WebhookSender};

/// What acting needs of the process.
pub(crate) struct Means {
    pub(crate) sender: WebhookSender,
    pub(crate) secrets: SecretContext,
    pub(crate) schedule: RetrySchedule,
}

impl Means {
    /// Makes the attempt, and says what is recorded of it and what it told of its destination.
    pub(crate) async fn act(&self, assignment: Assignment) -> (leases::Attempt, Told) {
        let mut told = Told::Nothing;
        let attempt = match &assignment.action {
            Ok(ActionConfig::Webhook { url, secret }) => {
                match (Url::parse(url), self.secrets.resolve(secret)) {
                    (Ok(url), Ok(signer)) => {
                        let body = body(&assignment);
                        let job = assignment.lease.id;
                        let request =
                            WebhookRequest { url: &url, job, body: &body, signer: &signer };
                        let attempt = self.sender.send(&request, Utc::now()).await;
                        told = match (attempt.outcome, attempt.http_status) {
                            (Outcome::Delivered, _) => Told::Success,
                            (_, None) => Told::Silence,
                            (_, Some(_)) => Told::Nothing,
                        };
                        attempt
                    }
                    (Err(error), _) => unsent(Outcome::Permanent, format!("url: {error}")),
                    // The operator may still provide it.
                    (_, Err(error)) => {
                        let retryable = Outcome::Retryable { retry_after: None };
                        unsent(retryable, error.to_string())
                    }
                }
            }
            Err(problem) => {
                unsent(Outcome::Permanent, format!("its configuration does not read: {problem}"))
            }
        };
        (self.recorded(assignment.lease, assignment.action_type, attempt), told)
    }

    /// What is recorded of a lease whose rows do not read. Somebody may still correct them.
    pub(crate) fn unreadable(&self, lease: Lease, problem: &str) -> leases::Attempt {
        let retryable = Outcome::Retryable { retry_after: None };
        let problem = response::line(&format!("what it is about does not read: {problem}"));
        self.recorded(lease, "unknown".to_owned(), unsent(retryable, problem))
    }

    fn recorded(&self, lease: Lease, action_type: String, attempt: Attempt) -> leases::Attempt {
        let started = u32::try_from(lease.attempt).unwrap_or(u32::MAX);
        let (status, outcome) = match attempt.outcome {
            Outcome::Delivered => (AttemptStatus::Delivered, leases::Outcome::Delivered),
            Outcome::Permanent => {
                let reason = attempt.error.clone().unwrap_or_else(|| "refused".to_owned());
                (AttemptStatus::Failed, leases::Outcome::Dead(reason))
            }
            Outcome::Retryable { retry_after } => {
                let next = self.schedule.after_failure(started, retry_after, rand::random());
                let outcome = match next {
                    Next::Retry { delay } => leases::Outcome::Retry(delay),
                    Next::Dead => {
                        leases::Outcome::Dead(format!("the last of {started} attempts failed"))
                    }
                };
                (AttemptStatus::Failed, outcome)
            }
        };
        leases::Attempt {
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
    Matched { timestamp: lease.created_at, trigger, event, finality: "instant", state }.body()
}

fn unsent(outcome: Outcome, error: String) -> Attempt {
    Attempt {
        outcome,
        http_status: None,
        duration: std::time::Duration::ZERO,
        error: Some(error),
        response: None,
    }
}
