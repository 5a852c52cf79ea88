//! Receivers of webhooks, which answer at once and count.

use std::collections::HashSet;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context as _, Result};
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use event_engine::job::JobId;
use parking_lot::Mutex;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use uuid::Uuid;

use crate::load::Ledger;

/// Each has a port of its own, and is thereby a destination of its own.
const RECEIVERS: usize = 8;

/// Several receivers, in this process. Dropping it ends them.
pub(crate) struct Receiver {
    addresses: Vec<SocketAddr>,
    counted: Arc<Mutex<Counted>>,
    _serving: JoinSet<()>,
}

#[derive(Default)]
struct Counted {
    ids: HashSet<Uuid>,
    again: u64,
    /// The ledger that records arrivals, if any.
    ledger: Option<Arc<Ledger>>,
}

impl Receiver {
    pub(crate) async fn start() -> Result<Self> {
        let counted = Arc::default();
        let mut serving = JoinSet::new();
        let mut addresses = Vec::new();
        for _ in 0..RECEIVERS {
            let listener = TcpListener::bind("127.0.0.1:0").await.context("a port of loopback")?;
            addresses.push(listener.local_addr()?);
            let router = Router::new().route("/hook", post(hook)).with_state(Arc::clone(&counted));
            serving.spawn(async move {
                // It ends with the task.
                let _ = axum::serve(listener, router).await;
            });
        }
        Ok(Self { addresses, counted, _serving: serving })
    }

    /// Their URLs.
    pub(crate) fn urls(&self) -> Vec<String> {
        self.addresses.iter().map(|address| format!("http://{address}/hook")).collect()
    }

    /// Records arrivals in `ledger` from now on.
    pub(crate) fn book(&self, ledger: &Arc<Ledger>) {
        let mut counted = self.counted.lock();
        counted.ledger = Some(Arc::clone(ledger));
    }

    /// The numbers of messages and of repeated ones.
    pub(crate) fn count(&self) -> (u64, u64) {
        let counted = self.counted.lock();
        (counted.ids.len() as u64, counted.again)
    }
}

async fn hook(
    State(counted): State<Arc<Mutex<Counted>>>,
    headers: HeaderMap,
    _body: Bytes,
) -> StatusCode {
    let id = headers.get("webhook-id").and_then(|id| Uuid::try_parse_ascii(id.as_bytes()).ok());
    let signed = headers.contains_key("webhook-signature");
    let (Some(id), true) = (id, signed) else { return StatusCode::BAD_REQUEST };
    let mut counted = counted.lock();
    if !counted.ids.insert(id) {
        counted.again += 1;
    }
    if let Some(ledger) = &counted.ledger {
        ledger.seen([JobId(id)].into_iter(), Instant::now());
    }
    StatusCode::NO_CONTENT
}
