//! Sends webhooks as [Standard Webhooks](https://www.standardwebhooks.com) 1.0 asks.
//!
//! [`Senders`](super::Senders) judges a destination before each attempt, and the resolver judges
//! its name's addresses whenever they are looked up; redirects and proxies would lead around both,
//! so neither is followed.

mod client;
mod connection;
mod dns;
mod failure;
mod names;
mod resolver;
pub mod response;

use std::net::IpAddr;
use std::time::{Duration, Instant};

use actions::policy::DestinationPolicy;
use actions::webhook::{Webhook, WebhookRequest, origin};
use chrono::{DateTime, Utc};
use event_engine::delivery::lease::{Attempt, Outcome};
use futures::future::{BoxFuture, FutureExt as _};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::{ACCEPT, USER_AGENT};
use hyper::http::Error as HttpError;
use hyper::{Request, Response};
use service::mask::Masker;
use url::Url;

use self::client::WebhookClient;
pub use self::client::{ANSWER_FIELDS_MAX, ANSWER_HEAD_BYTES_MAX};
pub use self::dns::system_lookup;
use self::failure::SendFailure;
pub use self::names::Lookup;
use self::names::NameLookups;
use self::resolver::{PermittedResolver, has_way_to};
use self::response::BodyReader;
use super::ActionSender;
use crate::attempt::{self, NotBegun, Performed, Told};
use crate::lack::Lack;

/// From the connection to the head of the answer. Standard Webhooks recommends 15 to 30 s.
pub const TIMEOUT: Duration = Duration::from_secs(15);
/// For a lookup; and for the connection and TLS. A host that is up takes far less, even across the
/// world.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

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
    client: WebhookClient,
    names: NameLookups,
    bodies: BodyReader,
    timeout: Duration,
}

impl WebhookSender {
    /// Makes a sender that goes where `policy` permits. Fails if TLS cannot be set up.
    pub fn new(policy: DestinationPolicy) -> std::io::Result<Self> {
        Self::with_options(policy, SenderOptions::default())
    }

    /// The same, with other limits or another lookup.
    pub fn with_options(
        policy: DestinationPolicy,
        options: SenderOptions,
    ) -> std::io::Result<Self> {
        let names = NameLookups::new(options.lookup, options.connect_timeout);
        let resolver = PermittedResolver::new(policy, names.clone());
        let client = WebhookClient::new(resolver, options.connect_timeout)?;
        Ok(Self { client, names, bodies: BodyReader::default(), timeout: options.timeout })
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
        let line = |sentence: &str| attempt::line(sentence, &Masker::of([url]));
        let post = match http_request(request, now) {
            Ok(post) => post,
            Err(error) => {
                let sentence = format!("{} cannot be written in HTTP: {error}", origin(url));
                return Ok(attempt::of(Outcome::Permanent, None, Some(line(&sentence))));
            }
        };
        let failure = match tokio::time::timeout(self.timeout, self.client.send(post)).await {
            Ok(Ok(answer)) => return Ok(self.answered(answer, url, now).await),
            Ok(Err(error)) => SendFailure::Request(error),
            Err(_) => SendFailure::TooSlow,
        };
        let sentence = line(&failure.sentence(&origin(url), self.timeout));
        if let Some(lack) = self.lack(&failure, url).await {
            return Err(NotBegun { lack, problem: sentence });
        }
        Ok(attempt::of(Outcome::Retryable { retry_after: None }, None, Some(sentence)))
    }

    /// The attempt that a receiver answered.
    async fn answered(&self, answer: Response<Incoming>, url: &Url, now: DateTime<Utc>) -> Attempt {
        let status = answer.status();
        let outcome = response::outcome(status, answer.headers(), now);
        let error = (outcome != Outcome::Delivered).then(|| {
            let unfollowed =
                if status.is_redirection() { "; redirects are not followed" } else { "" };
            let sentence = format!("{} answered {status}{unfollowed}", origin(url));
            attempt::line(&sentence, &Masker::of([url]))
        });
        let response = Some(self.bodies.beginning(answer, url).await);
        Attempt { outcome, http_status: Some(status.as_u16()), duration: None, error, response }
    }

    /// The resource that this machine lacked, if nothing was sent for want of it.
    async fn lack(&self, failure: &SendFailure, url: &Url) -> Option<Lack> {
        let lack = match failure {
            SendFailure::Request(failed) if !failed.has_left => Lack::of(&failed.error),
            _ => None,
        };
        match lack {
            // The same is said where this machine has no address of the receiver's family.
            Some(Lack::Ports) if !has_way_to(url, &self.names).await => None,
            lack => lack,
        }
    }
}

fn http_request(
    request: &WebhookRequest,
    now: DateTime<Utc>,
) -> Result<Request<Full<hyper::body::Bytes>>, HttpError> {
    let mut post = Request::post(request.url.as_str())
        .header(ACCEPT, "*/*")
        .header(USER_AGENT, service::http::USER_AGENT);
    for (name, value) in request.headers(now.timestamp()) {
        post = post.header(name, value);
    }
    post.body(Full::from(request.body.as_str().to_owned()))
}

impl ActionSender for WebhookSender {
    type Kind = Webhook;

    /// The lookup of its name, unless that is known, or a connection is open. Until the lookup
    /// ends, the message needs no place at its destination.
    fn prepare(&self, origin: &str) -> Option<BoxFuture<'static, ()>> {
        let (host, _port) = origin.rsplit_once(':')?;
        let address = host.trim_start_matches('[').trim_end_matches(']');
        if address.parse::<IpAddr>().is_ok()
            || self.names.knows(host)
            || self.client.is_connected_to(origin)
        {
            return None;
        }
        Some(self.names.resolve(host).map(drop).boxed())
    }

    async fn send(&self, request: WebhookRequest) -> Performed {
        let attempt = self.post_at(&request, Utc::now()).await?;
        let told = match (attempt.outcome, attempt.http_status) {
            (Outcome::Delivered, _) => Told::Success,
            (Outcome::Retryable { retry_after }, Some(429)) => {
                Told::Paused(retry_after.unwrap_or_default())
            }
            (Outcome::Retryable { retry_after: Some(asked) }, Some(503)) => Told::Paused(asked),
            (_, None) => Told::Silence,
            (_, Some(_)) => Told::Nothing,
        };
        Ok((attempt, told))
    }
}
