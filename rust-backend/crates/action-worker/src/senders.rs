//! The senders, one a kind of action: all I/O of an attempt. This file is their registry: a kind is
//! its module and its line in [`Senders::new`].

pub mod secrets;

pub mod log;
pub mod webhook;

use std::collections::BTreeMap;
use std::fmt::Display;

use actions::kind::Kind;
use actions::message::Message;
use actions::policy::DestinationPolicy;
use actions::registry;
use event_engine::delivery::lease::{Attempt, LeasedJob, Outcome};
use event_engine::trigger::config::ConfigNode;
use futures::future::BoxFuture;
use service::mask::Masker;

use self::secrets::SecretContext;
use crate::act::Performer;
use crate::attempt::{self, NotBegun, Told};
use crate::lack::Lack;

/// Sends the requests of one kind.
pub trait ActionSender: Send + Sync + 'static {
    /// The kind.
    type Kind: Kind;

    /// Makes one attempt. It ends within half a minute, however slow the receiver is.
    ///
    /// # Errors
    /// Nothing was sent, for want of something of this machine: it is no attempt.
    fn send(
        &self,
        request: <Self::Kind as Kind>::Request,
    ) -> impl Future<Output = Result<(Attempt, Told), NotBegun>> + Send;
}

/// Performs the actions of all kinds.
pub struct Senders {
    secrets: SecretContext,
    by_kind: BTreeMap<&'static str, Box<dyn AnySender>>,
}

impl Senders {
    /// The senders of all kinds.
    ///
    /// # Errors
    /// TLS cannot be set up.
    pub fn new(policy: DestinationPolicy, secrets: SecretContext) -> reqwest::Result<Self> {
        let senders = Self { secrets, by_kind: BTreeMap::new() };
        Ok(senders.with(webhook::WebhookSender::new(policy)?).with(log::LogSender))
    }

    /// The same with this sender for its kind.
    #[must_use]
    pub fn with<S: ActionSender>(mut self, sender: S) -> Self {
        self.by_kind.insert(S::Kind::NAME, Box::new(sender));
        self
    }
}

impl Performer for Senders {
    async fn perform(&self, assignment: &LeasedJob) -> Result<(Attempt, Told), NotBegun> {
        let config = match &assignment.config {
            Ok(config) => config,
            Err(problem) => return unreadable(problem).recorded(),
        };
        match self.by_kind.get(assignment.action_type.as_str()) {
            Some(sender) => sender.perform(assignment, config, &self.secrets).await,
            None => unreadable(format!("type: {:?} is unknown", assignment.action_type)).recorded(),
        }
    }
}

/// A sender without its types.
trait AnySender: Send + Sync {
    fn perform<'a>(
        &'a self,
        assignment: &'a LeasedJob,
        config: &'a ConfigNode,
        secrets: &'a SecretContext,
    ) -> BoxFuture<'a, Result<(Attempt, Told), NotBegun>>;
}

impl<S: ActionSender> AnySender for S {
    fn perform<'a>(
        &'a self,
        assignment: &'a LeasedJob,
        config: &'a ConfigNode,
        secrets: &'a SecretContext,
    ) -> BoxFuture<'a, Result<(Attempt, Told), NotBegun>> {
        Box::pin(async move {
            match request::<S::Kind>(assignment, config, secrets) {
                Ok(request) => self.send(request).await,
                Err(unsent) => unsent.recorded(),
            }
        })
    }
}

/// The reason why there is nothing to send.
enum Unsent {
    Failed(Outcome, String),
    NotBegun(NotBegun),
}

impl Unsent {
    fn recorded(self) -> Result<(Attempt, Told), NotBegun> {
        match self {
            Self::Failed(outcome, error) => Ok(attempt::unsent(outcome, error)),
            Self::NotBegun(not_begun) => Err(not_begun),
        }
    }
}

fn request<K: Kind>(
    assignment: &LeasedJob,
    config: &ConfigNode,
    context: &SecretContext,
) -> Result<K::Request, Unsent> {
    let config = registry::read::<K>(config).map_err(unreadable)?;
    // The operator may still provide or correct a secret.
    let again = Outcome::Retryable { retry_after: None };
    let mut secrets = Vec::new();
    for needed in K::secrets(&config) {
        let secret = context.resolve(needed.place).map_err(|error| match Lack::of(&error) {
            Some(lack) => {
                let problem = attempt::line(&error.to_string(), &Masker::default());
                Unsent::NotBegun(NotBegun { lack, problem })
            }
            None => Unsent::Failed(again, error.to_string()),
        })?;
        secrets.push(secret);
    }
    let message = Message::of(assignment);
    K::render(config, &message, &secrets).map_err(|error| Unsent::Failed(again, error.to_string()))
}

/// No later attempt will find another configuration: a version of it never changes.
fn unreadable(problem: impl Display) -> Unsent {
    let problem = format!("its configuration does not read: {problem}");
    Unsent::Failed(Outcome::Permanent, attempt::line(&problem, &Masker::default()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_has_its_sender() {
        let senders = Senders::new(DestinationPolicy::default(), SecretContext::default());
        let senders = senders.expect("TLS");
        let kinds: std::collections::BTreeSet<_> = registry::names().collect();
        assert_eq!(
            senders.by_kind.keys().copied().collect::<std::collections::BTreeSet<_>>(),
            kinds
        );
    }
}
