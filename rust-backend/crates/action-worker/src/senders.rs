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
use futures::future::BoxFuture;
use service::mask::Masker;

use self::secrets::SecretContext;
use crate::act::Performer;
use crate::attempt::{self, NotBegun, Performed, Told};
use crate::lack::Lack;

/// Sends the requests of one kind.
pub trait ActionSender: Send + Sync + 'static {
    /// The kind.
    type Kind: Kind;

    /// The rest that must be known of an origin, such as its addresses, before an attempt takes a
    /// place there. `None`: nothing is to be waited for.
    fn prepare(&self, _origin: &str) -> Option<BoxFuture<'static, ()>> {
        None
    }

    /// Makes one attempt. It ends within half a minute, however slow the receiver is.
    ///
    /// # Errors
    /// Nothing was sent, for want of something of this machine: it is no attempt.
    fn send(
        &self,
        request: <Self::Kind as Kind>::Request,
    ) -> impl Future<Output = Performed> + Send;
}

/// Performs the actions of all kinds. The policy of destinations is asked here, before each
/// attempt of each kind: the operator may have narrowed it since the trigger was applied.
pub struct Senders {
    context: AttemptContext,
    by_kind: BTreeMap<&'static str, Box<dyn AnySender>>,
}

/// The operator's settings, by which an attempt may be made.
struct AttemptContext {
    policy: DestinationPolicy,
    secrets: SecretContext,
}

impl Senders {
    /// The senders of all kinds.
    ///
    /// # Errors
    /// TLS cannot be set up.
    pub fn new(policy: DestinationPolicy, secrets: SecretContext) -> std::io::Result<Self> {
        let webhooks = webhook::WebhookSender::new(policy.clone())?;
        let senders =
            Self { context: AttemptContext { policy, secrets }, by_kind: BTreeMap::new() };
        Ok(senders.with(webhooks).with(log::LogSender))
    }

    /// The same with this sender for its kind.
    #[must_use]
    pub fn with<S: ActionSender>(mut self, sender: S) -> Self {
        self.by_kind.insert(S::Kind::NAME, Box::new(sender));
        self
    }
}

impl Performer for Senders {
    fn prepare(&self, action_type: &str, origin: &str) -> Option<BoxFuture<'static, ()>> {
        self.by_kind.get(action_type)?.prepare(origin)
    }

    async fn perform(&self, assignment: &LeasedJob) -> Performed {
        match self.by_kind.get(assignment.action_type.as_str()) {
            Some(sender) => sender.perform(assignment, &self.context).await,
            None => Ok(unreadable(format!("type: {:?} is unknown", assignment.action_type))),
        }
    }
}

/// A sender without its types.
trait AnySender: Send + Sync {
    fn prepare(&self, origin: &str) -> Option<BoxFuture<'static, ()>>;

    fn perform<'a>(
        &'a self,
        assignment: &'a LeasedJob,
        context: &'a AttemptContext,
    ) -> BoxFuture<'a, Performed>;
}

impl<S: ActionSender> AnySender for S {
    fn prepare(&self, origin: &str) -> Option<BoxFuture<'static, ()>> {
        ActionSender::prepare(self, origin)
    }

    fn perform<'a>(
        &'a self,
        assignment: &'a LeasedJob,
        context: &'a AttemptContext,
    ) -> BoxFuture<'a, Performed> {
        Box::pin(async move {
            match request::<S::Kind>(assignment, context) {
                Ok(request) => self.send(request).await,
                Err(performed) => performed,
            }
        })
    }
}

/// Reads, checks and renders; without a request, the error is the result of the attempt.
fn request<K: Kind>(
    assignment: &LeasedJob,
    context: &AttemptContext,
) -> Result<K::Request, Performed> {
    let config = assignment.config.as_ref().map_err(|problem| Ok(unreadable(problem)))?;
    let config = registry::read::<K>(config).map_err(|problem| Ok(unreadable(problem)))?;
    K::check(&config, &context.policy)
        .map_err(|refusal| Ok(failed(Outcome::Permanent, refusal)))?;
    // The operator may still provide or correct a secret.
    let again = Outcome::Retryable { retry_after: None };
    let mut secrets = Vec::new();
    for needed in K::secrets(&config) {
        let secret = context.secrets.resolve(needed.place);
        secrets.push(secret.map_err(|error| match Lack::of(&error) {
            Some(lack) => Err(NotBegun { lack, problem: line(error) }),
            None => Ok(failed(again, error)),
        })?);
    }
    let message = Message::of(assignment);
    K::render(config, &message, &secrets).map_err(|error| Ok(failed(again, error)))
}

/// No later attempt will find another configuration: a version of it never changes.
fn unreadable(problem: impl Display) -> (Attempt, Told) {
    failed(Outcome::Permanent, format!("its configuration cannot be read: {problem}"))
}

fn failed(outcome: Outcome, error: impl Display) -> (Attempt, Told) {
    attempt::unsent(outcome, line(error))
}

fn line(error: impl Display) -> String {
    attempt::line(&error.to_string(), &Masker::default())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use actions::webhook::{Webhook, WebhookRequest};
    use event_engine::trigger::config::ConfigNode;

    use super::*;
    use crate::act::tests::assignment;

    /// Asks no policy and delivers all; counts its deliveries.
    struct CarelessSender(Arc<AtomicUsize>);

    impl ActionSender for CarelessSender {
        type Kind = Webhook;

        async fn send(&self, _: WebhookRequest) -> Performed {
            self.0.fetch_add(1, Ordering::Relaxed);
            let (attempt, _) = attempt::unsent(Outcome::Delivered, String::new());
            Ok((attempt, Told::Success))
        }
    }

    #[tokio::test]
    async fn a_sender_that_asks_no_policy_goes_nowhere_forbidden() {
        let sent = Arc::new(AtomicUsize::new(0));
        let perform = async |policy: &str, url: &str| {
            let networks = policy.split_terminator(',').map(|it| it.parse().expect("a network"));
            let policy = DestinationPolicy::new(networks.collect());
            let senders = Senders::new(policy, SecretContext::default()).expect("TLS");
            let senders = senders.with(CarelessSender(Arc::clone(&sent)));
            let secret = ConfigNode::text("whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD");
            let config = ConfigNode::table([("url", ConfigNode::text(url)), ("secret", secret)]);
            senders.perform(&assignment("webhook", config)).await.expect("an attempt")
        };
        let (attempt, told) = perform("10.0.0.0/8", "http://10.1.2.3/").await;
        assert_eq!((attempt.outcome, told), (Outcome::Delivered, Told::Success));
        for url in ["http://10.1.2.3/?token=hunter2", "https://user:hunter2@example.org/"] {
            let (attempt, told) = perform("", url).await;
            assert_eq!((attempt.outcome, told), (Outcome::Permanent, Told::Unsent));
            let error = attempt.error.expect("an error");
            assert!(error.starts_with("url: ") && !error.contains("hunter2"), "{error}");
        }
        assert_eq!(sent.load(Ordering::Relaxed), 1);
    }

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
