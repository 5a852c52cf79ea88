//! Sends webhooks as [Standard Webhooks](https://www.standardwebhooks.com) 1.0 asks.
//!
//! [`Senders`](super::Senders) judges a destination before each attempt, and the resolver judges
//! its name's addresses whenever they are looked up; redirects and proxies would lead around both,
//! so neither is followed.

mod failure;
pub mod resolver;
pub mod response;

use std::sync::Arc;
use std::time::{Duration, Instant};

use actions::policy::DestinationPolicy;
use actions::webhook::{Webhook, WebhookRequest, origin};
use chrono::{DateTime, Utc};
use event_engine::delivery::lease::{Attempt, Outcome};
use reqwest::{Client, Response};
use service::http::client_builder;
use service::mask::Masker;
use url::Url;

use self::resolver::{Lookup, PermittedResolver, has_way_to, system_lookup};
use super::ActionSender;
use crate::attempt::{self, NotBegun, Performed, Told};
use crate::lack::Lack;

/// From the lookup of the name to the end of the answer. Standard Webhooks recommends 15 to 30 s.
pub const TIMEOUT: Duration = Duration::from_secs(15);
/// For the lookup, the connection and TLS. A host that is up takes far less, even across the world.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Idle connections kept to one host: as many as a busy worker uses at once.
const IDLE_CONNECTIONS_PER_HOST_MAX: usize = 64;
/// Shorter than the 60 s after which servers commonly close: fewer attempts meet a closing one.
const IDLE_CONNECTION_TIMEOUT: Duration = Duration::from_secs(30);

/// The settings that a test changes.
pub struct SenderOptions {
    /// [`TIMEOUT`].
    pub timeout: Duration,
    /// [`CONNECT_TIMEOUT`].
    pub connect_timeout: Duration,
    /// The lookup of names: [`system_lookup`].
    pub lookup: Lookup,
}

impl Default for SenderOptions {
    fn default() -> Self {
        Self { timeout: TIMEOUT, connect_timeout: CONNECT_TIMEOUT, lookup: system_lookup() }
    }
}

/// Sends webhooks. Cheap to clone; clones share their connections.
#[derive(Clone)]
pub struct WebhookSender {
    client: Client,
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
        let client = client_builder()
            .timeout(options.timeout)
            .connect_timeout(options.connect_timeout)
            .dns_resolver(PermittedResolver::new(policy, Arc::clone(&options.lookup)))
            .referer(false)
            .pool_max_idle_per_host(IDLE_CONNECTIONS_PER_HOST_MAX)
            .pool_idle_timeout(IDLE_CONNECTION_TIMEOUT)
            .build()?;
        Ok(Self { client, lookup: options.lookup, timeout: options.timeout })
    }

    /// Makes one attempt, which ends within the timeout however slow the receiver is.
    ///
    /// `now` is the time of the attempt: the `webhook-timestamp`, by which receivers turn old
    /// messages away, and the time that a date in `Retry-After` is compared with.
    ///
    /// A name that leads to refused addresses is a retryable failure, because names change.
    ///
    /// # Errors
    /// Nothing was sent, for want of something of this machine.
    pub async fn post_at(
        &self,
        request: &WebhookRequest,
        now: DateTime<Utc>,
    ) -> Result<Attempt, NotBegun> {
        let begun = Instant::now();
        let attempt = self.post(request, now).await?;
        Ok(Attempt { duration: Some(begun.elapsed()), ..attempt })
    }

    async fn post(
        &self,
        request: &WebhookRequest,
        now: DateTime<Utc>,
    ) -> Result<Attempt, NotBegun> {
        let url = &request.url;
        let mut post = self.client.post(url.clone());
        for (name, value) in request.headers(now.timestamp()) {
            post = post.header(name, value);
        }
        let sent = post.body(request.body.as_str().to_owned()).send().await;
        match sent {
            Ok(answer) => Ok(answered(answer, url, now).await),
            Err(error) => {
                let masker = Masker::of([url]);
                let sentence = failure::sentence(&error, &origin(url), self.timeout);
                if let Some(lack) = self.lack(&error, url).await {
                    return Err(NotBegun { lack, problem: attempt::line(&sentence, &masker) });
                }
                let retry = Outcome::Retryable { retry_after: None };
                let outcome = if error.is_builder() { Outcome::Permanent } else { retry };
                Ok(attempt::of(outcome, None, Some(attempt::line(&sentence, &masker))))
            }
        }
    }

    /// The resource that this machine lacked, if nothing was sent for want of it. A failure after
    /// the connection is made does not count: bytes may have left.
    async fn lack(&self, error: &reqwest::Error, url: &Url) -> Option<Lack> {
        let lack = if error.is_connect() { Lack::of(error) } else { None };
        match lack {
            // The same is said where this machine has no address of the receiver's family.
            Some(Lack::Ports) if !has_way_to(url, &self.lookup).await => None,
            lack => lack,
        }
    }
}

impl ActionSender for WebhookSender {
    type Kind = Webhook;

    async fn send(&self, request: WebhookRequest) -> Performed {
        let attempt = self.post_at(&request, Utc::now()).await?;
        let told = match (attempt.outcome, attempt.http_status) {
            (Outcome::Delivered, _) => Told::Success,
            (_, None) => Told::Silence,
            (_, Some(_)) => Told::Nothing,
        };
        Ok((attempt, told))
    }
}

/// The attempt that a receiver answered.
async fn answered(answer: Response, url: &Url, now: DateTime<Utc>) -> Attempt {
    let status = answer.status();
    let outcome = response::outcome(status, answer.headers(), now);
    let error = (outcome != Outcome::Delivered).then(|| {
        let unfollowed = if status.is_redirection() { "; redirects are not followed" } else { "" };
        let sentence = format!("{} answered {status}{unfollowed}", origin(url));
        attempt::line(&sentence, &Masker::of([url]))
    });
    let response = Some(response::beginning(answer, url).await);
    Attempt { outcome, http_status: Some(status.as_u16()), duration: None, error, response }
}
