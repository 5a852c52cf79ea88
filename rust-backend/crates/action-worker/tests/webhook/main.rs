//! The sender against real servers on loopback: what they see, and what they do to it.

mod addresses;
mod delivered;
mod documented;
mod failed;
mod kept;
mod receiver;
mod refused;

use std::net::SocketAddr;
use std::time::Duration;

use action_worker::senders::webhook::{SenderOptions, WebhookSender};
use actions::message::{EventRow, Message, Purpose, TriggerName};
use actions::policy::DestinationPolicy;
use actions::webhook::WebhookRequest;
use actions::webhook::body::WebhookBody;
use actions::webhook::signer::Signer;
use chrono::{DateTime, Utc};
use event_engine::delivery::lease::Reorg;
use event_engine::delivery::lease::{Attempt, Outcome};
use event_engine::finality::Finality;
use event_engine::job::JobId;
use testbed::event;
use url::Url;
use uuid::Uuid;

const SECRET: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";
const RETRYABLE: Outcome = Outcome::Retryable { retry_after: None };

/// The time at which all attempts are made, unless a test says otherwise.
fn now() -> DateTime<Utc> {
    DateTime::from_timestamp(1_764_000_000, 0).expect("a time")
}

fn job() -> JobId {
    JobId(Uuid::from_u128(0x8f0c_1c52_5b1d_8a3e_9d61_0f1e_2d3c_4b5a))
}

fn body() -> WebhookBody {
    told(Purpose::Match)
}

fn retraction_of(job: JobId) -> WebhookBody {
    let reorg = Reorg { fork_block: None, old_hash: "0xaa".to_owned(), new_hash: None };
    told(Purpose::Retraction { retracts: job, reorg: &reorg })
}

fn told(purpose: Purpose<'_>) -> WebhookBody {
    let event = EventRow { event: &event(), created_at: now(), log_data: None };
    let trigger = TriggerName { id: Uuid::nil(), name: "low-score", version: 1 };
    WebhookBody::of(&Message {
        id: job(),
        timestamp: now(),
        purpose,
        trigger,
        event,
        finality: Finality::Instant,
        state: None,
        reincluded: None,
    })
}

fn loopback_allowed() -> DestinationPolicy {
    allowing("127.0.0.0/8,::1/128")
}

fn allowing(networks: &str) -> DestinationPolicy {
    let networks = networks.split_terminator(',').map(|it| it.parse().expect("a network"));
    DestinationPolicy::new(networks.collect())
}

/// A sender that may go to loopback, and gives up long before a test's patience ends.
fn sender() -> WebhookSender {
    WebhookSender::new(loopback_allowed()).expect("a sender")
}

/// Long enough for a busy machine to bring what is there, far shorter than [`webhook::TIMEOUT`].
const IMPATIENCE: Duration = Duration::from_secs(2);

/// A sender that gives up soon, for receivers that never end.
fn impatient_sender() -> WebhookSender {
    let options = SenderOptions { timeout: IMPATIENCE, ..SenderOptions::default() };
    WebhookSender::with_options(loopback_allowed(), options).expect("a sender")
}

fn url(scheme: &str, address: SocketAddr) -> Url {
    Url::parse(&format!("{scheme}://{address}/hook?token=hunter2")).expect("a URL")
}

async fn send_to(sender: &WebhookSender, url: &Url) -> Attempt {
    send_at(sender, url, SECRET, now()).await
}

async fn send_at(sender: &WebhookSender, url: &Url, secrets: &str, now: DateTime<Utc>) -> Attempt {
    let signer = Signer::from_secrets(secrets).expect("secrets");
    let request = WebhookRequest { url: url.clone(), job: job(), body: body(), signer };
    sender.post_at(&request, now).await.expect("an attempt")
}

/// The error of an attempt, which never tells what must stay secret.
fn error(attempt: &Attempt) -> &str {
    let error = attempt.error.as_deref().expect("a failed attempt");
    assert!(!error.contains("hunter2") && !error.contains("whsec_"), "{error}");
    error
}
