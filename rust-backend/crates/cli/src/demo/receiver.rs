//! The receiver: an HTTP server that believes no message without a good signature.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::Result;
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use hdrhistogram::Histogram;
use parking_lot::{Mutex, MutexGuard};
use serde::Deserialize;
use standardwebhooks::Webhook;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::blocks::BlockTimes;

/// The trigger that must hear of every event.
const EVERYTHING: &str = "everything";
/// For trials, as the format of triggers says: this one signs nothing but the demo.
const SECRET: &str = "whsec_YWdlbnRhdXJpIGRlbW8gc2VjcmV0IG9mIDMyIGJ5dGVz";
/// Latencies up to ten minutes, to three digits.
const MICROSECONDS_MAX: u64 = 600_000_000;

/// The receiver. Clones share its deliveries.
#[derive(Clone)]
pub(super) struct Receiver {
    address: SocketAddr,
    webhook: Arc<Webhook>,
    blocks: BlockTimes,
    arrived: Arc<Mutex<Deliveries>>,
}

/// Messages and events that have arrived.
pub(super) struct Deliveries {
    /// Events that the trigger for everything told of, and by how many messages of one id.
    pub(super) events: BTreeMap<String, u32>,
    /// The ids of all messages.
    ids: BTreeSet<String>,
    /// Messages whose id had arrived before.
    pub(super) repeated: u64,
    /// Messages whose signature did not fit.
    pub(super) refused: u64,
    /// Verified messages by trigger.
    pub(super) by_trigger: BTreeMap<String, u64>,
    /// Events by registry.
    pub(super) by_registry: BTreeMap<String, u64>,
    /// Microseconds from the block's being seen to the message's being verified.
    pub(super) latency: Histogram<u64>,
    /// The latest events, for the screen.
    pub(super) latest: Vec<String>,
}

/// The parts of a message that the demo shows. A message without one of them is refused.
#[derive(Deserialize)]
struct Delivery {
    data: DeliveryData,
}

#[derive(Deserialize)]
struct DeliveryData {
    trigger: DeliveryTrigger,
    event: DeliveryEvent,
}

#[derive(Deserialize)]
struct DeliveryTrigger {
    name: String,
}

#[derive(Deserialize)]
struct DeliveryEvent {
    id: String,
    block_number: i64,
    registry: String,
    event_type: String,
    agent_id: Option<String>,
}

impl Receiver {
    pub(super) async fn start(blocks: BlockTimes, stop: CancellationToken) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let arrived = Deliveries {
            events: BTreeMap::new(),
            ids: BTreeSet::new(),
            repeated: 0,
            refused: 0,
            by_trigger: BTreeMap::new(),
            by_registry: BTreeMap::new(),
            latency: Histogram::new_with_max(MICROSECONDS_MAX, 3)?,
            latest: Vec::new(),
        };
        let receiver = Self {
            address: listener.local_addr()?,
            webhook: Arc::new(Webhook::new(SECRET)?),
            blocks,
            arrived: Arc::new(Mutex::new(arrived)),
        };
        let router = Router::new().route("/hook", post(hook)).with_state(receiver.clone());
        tokio::spawn(async move {
            let served = axum::serve(listener, router)
                .with_graceful_shutdown(async move { stop.cancelled().await });
            if let Err(error) = served.await {
                tracing::error!(%error, "The receiver ended");
            }
        });
        Ok(receiver)
    }

    /// The triggers whose messages come here.
    pub(super) fn triggers(&self) -> String {
        let action = format!(
            "{{id: hook, type: webhook, url: \"http://{}/hook\", secret: \"{SECRET}\"}}",
            self.address
        );
        format!(
            "version: 1
triggers:
  - name: {EVERYTHING}
    match_all: true
    since: genesis
    actions: [{action}]
  - name: low-score
    registry: reputation
    events: [NewFeedback]
    when: score < 50
    since: genesis
    actions: [{action}]
  - name: agent-sold
    registry: identity
    events: [Transfer]
    when: 'from != \"0x0000000000000000000000000000000000000000\"'
    since: genesis
    actions: [{action}]
"
        )
    }

    /// The number of events that have arrived.
    pub(super) fn arrived(&self) -> usize {
        self.look().events.len()
    }

    /// The deliveries so far.
    pub(super) fn look(&self) -> MutexGuard<'_, Deliveries> {
        self.arrived.lock()
    }

    fn receive(&self, headers: &HeaderMap, body: &[u8]) -> StatusCode {
        let verified = self.webhook.verify(body, headers).is_ok();
        let message: Option<Delivery> = serde_json::from_slice(body).ok();
        let id = headers.get("webhook-id").and_then(|id| id.to_str().ok());
        let mut arrived = self.look();
        let (true, Some(message), Some(id)) = (verified, message, id) else {
            arrived.refused += 1;
            return StatusCode::UNAUTHORIZED;
        };
        if !arrived.ids.insert(id.to_owned()) {
            arrived.repeated += 1;
            return StatusCode::OK;
        }
        let DeliveryData { trigger, event } = message.data;
        let everything = trigger.name == EVERYTHING;
        *arrived.by_trigger.entry(trigger.name).or_default() += 1;
        if everything {
            let age = self.blocks.age(event.block_number).unwrap_or_default();
            let age = u64::try_from(age.as_micros()).unwrap_or(u64::MAX).min(MICROSECONDS_MAX);
            arrived.latency.saturating_record(age);
            let agent = event.agent_id.map(|agent| format!(" agent {agent}")).unwrap_or_default();
            let (block, kind, registry) = (event.block_number, event.event_type, event.registry);
            arrived.latest.push(format!(
                "block {block:<6} {registry:<10} {kind:<20}{agent:<14} {:>7.1} ms",
                Latency(age).milliseconds()
            ));
            *arrived.by_registry.entry(registry).or_default() += 1;
            *arrived.events.entry(event.id).or_default() += 1;
        }
        StatusCode::OK
    }
}

async fn hook(State(receiver): State<Receiver>, headers: HeaderMap, body: Bytes) -> StatusCode {
    receiver.receive(&headers, &body)
}

/// Microseconds.
pub(super) struct Latency(pub(super) u64);

impl Latency {
    #[expect(clippy::cast_precision_loss, reason = "ten minutes fit exactly")]
    pub(super) fn milliseconds(&self) -> f64 {
        self.0 as f64 / 1_000.0
    }
}
