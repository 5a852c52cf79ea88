//! Receivers of webhooks, which answer at once and count.

use std::collections::HashSet;
use std::future::ready;
use std::sync::Arc;
use std::time::Instant;

use axum::http::StatusCode;
use event_engine::job::JobId;
use parking_lot::Mutex;
use testbed::{HttpReceiver, Received};
use uuid::Uuid;

use crate::load::Ledger;

/// Each has a port of its own, and is thereby a destination of its own.
const RECEIVERS: usize = 8;

/// Several receivers, in this process. Dropping it ends them.
pub(crate) struct Receiver {
    servers: Vec<HttpReceiver>,
    counted: Arc<Mutex<Counted>>,
}

#[derive(Default)]
struct Counted {
    ids: HashSet<Uuid>,
    again: u64,
    /// The ledger that records arrivals, if any.
    ledger: Option<Arc<Ledger>>,
}

impl Receiver {
    pub(crate) async fn start() -> Self {
        let counted: Arc<Mutex<Counted>> = Arc::default();
        let mut servers = Vec::new();
        for _ in 0..RECEIVERS {
            let counted = Arc::clone(&counted);
            let answer = move |request| ready(count(&counted, &request));
            servers.push(HttpReceiver::start(answer).await);
        }
        Self { servers, counted }
    }

    /// Their URLs.
    pub(crate) fn urls(&self) -> Vec<String> {
        self.servers.iter().map(HttpReceiver::url).collect()
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

/// Cheap, because it runs beside the measured programs: a signature is expected, not verified.
fn count(counted: &Mutex<Counted>, request: &Received) -> StatusCode {
    let headers = &request.headers;
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
