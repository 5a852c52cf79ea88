//! Sends webhooks as [Standard Webhooks](https://www.standardwebhooks.com) 1.0 asks.
//!
//! A destination is judged before each attempt, and its name's addresses whenever they are looked
//! up; redirects and proxies would lead around both, so neither is followed.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use event_engine::delivery::lease::{Attempt, Outcome};
use event_engine::job::JobId;
use reqwest::header::CONTENT_TYPE;
use reqwest::{Client, redirect};
use service::http::client_builder;
use service::mask::Masker;
use url::Url;

use crate::attempt::NotBegun;
use crate::lack::Lack;
use crate::sending::body::Body;
use crate::sending::destination::DestinationPolicy;
use crate::sending::resolver::{Lookup, PermittedResolver, has_way_to, system_lookup};
use crate::sending::signer::Signer;
use crate::sending::{failure, response};

/// From the lookup of the name to the end of the answer. Standard Webhooks recommends 15 to 30 s.
pub const TIMEOUT: Duration = Duration::from_secs(15);
/// For the lookup, the connection and TLS. A host that is up takes far less, even across the world.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Idle connections kept to one host: as many as a busy worker uses at once.
const IDLE_CONNECTIONS_PER_HOST_MAX: usize = 64;
/// Shorter than the 60 s after which servers commonly close: fewer attempts meet a closing one.
const IDLE_CONNECTION_TIMEOUT: Duration = Duration::from_secs(30);

/// What a test changes.
pub struct SenderOptions {
    /// [`TIMEOUT`].
    pub timeout: Duration,
    /// [`CONNECT_TIMEOUT`].
    pub connect_timeout: Duration,
    /// How names are looked up: [`system_lookup`].
    pub lookup: Lookup,
}

impl Default for SenderOptions {
    fn default() -> Self {
        Self { timeout: TIMEOUT, connect_timeout: CONNECT_TIMEOUT, lookup: system_lookup() }
    }
}

/// One message to one destination. Without `Debug`: a URL's path and query may be secret.
#[derive(Clone, Copy)]
pub struct WebhookRequest<'a> {
    /// Where to.
    pub url: &'a Url,
    /// The `webhook-id`: equal over all attempts, so that the receiver knows a repetition.
    pub job: JobId,
    /// What is signed and sent.
    pub body: &'a Body,
    /// Signs it. There is no webhook without a signature.
    pub signer: &'a Signer,
}

/// Sends webhooks. Cheap to clone; clones share their connections.
#[derive(Clone)]
pub struct WebhookSender {
    client: Client,
    policy: Arc<DestinationPolicy>,
    lookup: Lookup,
    timeout: Duration,
}

impl WebhookSender {
    /// Makes a sender that goes where `policy` permits. Fails if TLS cannot be set up.
    pub fn new(policy: DestinationPolicy) -> reqwest::Result<Self> {
        Self::with_options(policy, SenderOptions::default())
    }

    /// The same, with other limits or another lookup.
    pub fn with_options(
        policy: DestinationPolicy,
        options: SenderOptions,
    ) -> reqwest::Result<Self> {
        let policy = Arc::new(policy);
        let client = client_builder()
            .timeout(options.timeout)
            .connect_timeout(options.connect_timeout)
            .dns_resolver(PermittedResolver::new(Arc::clone(&policy), Arc::clone(&options.lookup)))
            .redirect(redirect::Policy::none())
            .no_proxy()
            .referer(false)
            .pool_max_idle_per_host(IDLE_CONNECTIONS_PER_HOST_MAX)
            .pool_idle_timeout(IDLE_CONNECTION_TIMEOUT)
            .build()?;
        Ok(Self { client, policy, lookup: options.lookup, timeout: options.timeout })
    }

    /// Makes one attempt, which ends within the timeout whatever the receiver does.
    ///
    /// `now` is the time of the attempt: the `webhook-timestamp`, by which receivers turn old
    /// messages away, and the time that a date in `Retry-After` is compared with.
    ///
    /// A destination that its URL alone rules out is a permanent failure; a name that leads to
    /// refused addresses is retryable, because names change.
    ///
    /// # Errors
    /// Nothing was sent, for want of something of this machine.
    pub async fn send(
        &self,
        request: &WebhookRequest<'_>,
        now: DateTime<Utc>,
    ) -> Result<Attempt, NotBegun> {
        let begun = Instant::now();
        let masker = Masker::of([request.url]);
        let ended = match self.policy.check_url(request.url) {
            // Our own words, that have no secret in them.
            Err(refusal) => {
                Ended::unanswered(Outcome::Permanent, &refusal.to_string(), &Masker::default())
            }
            Ok(()) => self.post(request, now, &masker).await?,
        };
        let Ended { outcome, http_status, error, response } = ended;
        Ok(Attempt { outcome, http_status, duration: Some(begun.elapsed()), error, response })
    }

    async fn post(
        &self,
        request: &WebhookRequest<'_>,
        now: DateTime<Utc>,
        masker: &Masker,
    ) -> Result<Ended, NotBegun> {
        let (id, timestamp, body) =
            (request.job.to_string(), now.timestamp(), request.body.as_str());
        let sent = self
            .client
            .post(request.url.clone())
            .header(CONTENT_TYPE, "application/json")
            .header("webhook-signature", request.signer.sign(&id, timestamp, body))
            .header("webhook-timestamp", timestamp)
            .header("webhook-id", id)
            .body(body.to_owned())
            .send()
            .await;
        let host = host(request.url);
        match sent {
            Ok(answer) => Ok(Ended::answered(answer, &host, now, masker).await),
            Err(error) => {
                let sentence = failure::sentence(&error, &host, self.timeout);
                if let Some(lack) = self.lack(&error, request.url).await {
                    return Err(NotBegun { lack, problem: response::line(&sentence, masker) });
                }
                let retry = Outcome::Retryable { retry_after: None };
                let outcome = if error.is_builder() { Outcome::Permanent } else { retry };
                Ok(Ended::unanswered(outcome, &sentence, masker))
            }
        }
    }

    /// What this machine lacked, if that is why nothing was sent. A failure that comes after the
    /// connection is made is none: bytes may have left.
    async fn lack(&self, error: &reqwest::Error, url: &Url) -> Option<Lack> {
        let lack = if error.is_connect() { Lack::of(error) } else { None };
        match lack {
            // The same is said where this machine has no address of the receiver's family.
            Some(Lack::Ports) if !has_way_to(url, &self.lookup).await => None,
            lack => lack,
        }
    }
}

impl fmt::Debug for WebhookSender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WebhookSender")
    }
}

/// An attempt without its duration.
struct Ended {
    outcome: Outcome,
    http_status: Option<u16>,
    error: Option<String>,
    response: Option<String>,
}

impl Ended {
    fn unanswered(outcome: Outcome, error: &str, masker: &Masker) -> Self {
        let error = Some(response::line(error, masker));
        Self { outcome, http_status: None, error, response: None }
    }

    async fn answered(
        answer: reqwest::Response,
        host: &str,
        now: DateTime<Utc>,
        masker: &Masker,
    ) -> Self {
        let status = answer.status();
        let outcome = response::outcome(status, answer.headers(), now);
        let error = (outcome != Outcome::Delivered).then(|| {
            let unfollowed =
                if status.is_redirection() { "; redirects are not followed" } else { "" };
            response::line(&format!("{host} answered {status}{unfollowed}"), masker)
        });
        let response = Some(response::beginning(answer, masker).await);
        Self { outcome, http_status: Some(status.as_u16()), error, response }
    }
}

/// All that an error says of a URL.
fn host(url: &Url) -> String {
    let port = url.port_or_known_default().unwrap_or_default();
    format!("{}:{port}", url.host_str().unwrap_or_default())
}
