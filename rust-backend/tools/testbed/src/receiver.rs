//! A receiver of webhooks that verifies signatures, counts messages, and misbehaves when told to.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};

use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use parking_lot::{Mutex, MutexGuard};
use serde_json::Value;
use standardwebhooks::Webhook;
use tokio::sync::{OwnedRwLockWriteGuard, RwLock};
use uuid::Uuid;

use crate::{HttpReceiver, Received};

/// The secret of the triggers that [`crate::trigger_file`] writes.
pub const SECRET: &str = "whsec_YWdlbnRhdXJpIHRlc3Qgc2VjcmV0IG9mIDMyIGJ5dGVz";

/// A running receiver. Clones share it; it ends with the last of them.
#[derive(Clone)]
pub struct Receiver {
    server: Arc<HttpReceiver>,
    state: Arc<State>,
}

struct State {
    webhook: Webhook,
    messages: Mutex<BTreeMap<Uuid, Vec<Value>>>,
    /// The status it answers; 0 to never answer.
    status: AtomicU16,
    limit: Mutex<Limit>,
    /// Locked for writing while answers are held back.
    gate: Arc<RwLock<()>>,
}

impl Receiver {
    /// Starts a receiver on a free port of loopback.
    ///
    /// # Panics
    /// No port is free.
    pub async fn start() -> Self {
        let state = Arc::new(State {
            webhook: Webhook::new(SECRET).expect("a secret"),
            messages: Mutex::default(),
            status: AtomicU16::new(200),
            limit: Mutex::new(Limit { per_second: u32::MAX, second: None, taken: 0, refused: 0 }),
            gate: Arc::default(),
        });
        let shared = Arc::clone(&state);
        let server = HttpReceiver::start(move |request| answer(Arc::clone(&shared), request)).await;
        Self { server: Arc::new(server), state }
    }

    /// Its URL.
    pub fn url(&self) -> String {
        self.server.url()
    }

    /// Answers with this status from now on; 0 to never answer.
    pub fn answer(&self, status: u16) {
        self.state.status.store(status, Ordering::Relaxed);
    }

    /// Takes so many messages in a second from now on, and answers further ones with 429 and
    /// `Retry-After: 1`.
    pub fn limit(&self, per_second: u32) {
        self.state.limit.lock().per_second = per_second;
    }

    /// The number of messages that were beyond the limit.
    pub fn refused(&self) -> u32 {
        self.state.limit.lock().refused
    }

    /// Accepts messages and holds its answers back until the guard is dropped.
    ///
    /// # Panics
    /// Answers are already held back.
    #[must_use]
    pub fn hold(&self) -> OwnedRwLockWriteGuard<()> {
        Arc::clone(&self.state.gate).try_write_owned().expect("answers are kept back once")
    }

    /// The bodies that arrived with a valid signature, by `webhook-id`.
    pub fn messages(&self) -> MutexGuard<'_, BTreeMap<Uuid, Vec<Value>>> {
        self.state.messages()
    }
}

struct Limit {
    per_second: u32,
    /// The beginning of the second in which `taken` messages came.
    second: Option<Instant>,
    taken: u32,
    refused: u32,
}

impl Limit {
    fn takes(&mut self, now: Instant) -> bool {
        if self.second.is_none_or(|began| now - began >= Duration::from_secs(1)) {
            (self.second, self.taken) = (Some(now), 0);
        }
        let takes = self.taken < self.per_second;
        self.taken += u32::from(takes);
        self.refused += u32::from(!takes);
        takes
    }
}

impl State {
    fn messages(&self) -> MutexGuard<'_, BTreeMap<Uuid, Vec<Value>>> {
        self.messages.lock()
    }
}

async fn answer(state: Arc<State>, Received { headers, body, .. }: Received) -> Response {
    let id = headers.get("webhook-id").and_then(|id| id.to_str().ok()?.parse().ok());
    let (Some(id), Ok(())) = (id, state.webhook.verify(&body, &headers)) else {
        return StatusCode::UNAUTHORIZED.into_response();
    };
    if !state.limit.lock().takes(Instant::now()) {
        return (StatusCode::TOO_MANY_REQUESTS, [("retry-after", "1")]).into_response();
    }
    let message = serde_json::from_slice(&body).unwrap_or(Value::Null);
    state.messages().entry(id).or_default().push(message);
    drop(state.gate.read().await);
    match state.status.load(Ordering::Relaxed) {
        0 => std::future::pending().await,
        status => {
            let status = StatusCode::from_u16(status);
            status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR).into_response()
        }
    }
}
