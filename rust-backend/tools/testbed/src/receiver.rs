//! An HTTP server that verifies signatures, counts messages, and misbehaves when told to.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use parking_lot::{Mutex, MutexGuard};
use serde_json::Value;
use standardwebhooks::Webhook;
use tokio::net::TcpListener;
use tokio::sync::{OwnedRwLockWriteGuard, RwLock};
use uuid::Uuid;

/// The secret of the triggers that [`crate::trigger_file`] writes.
pub const SECRET: &str = "whsec_YWdlbnRhdXJpIHRlc3Qgc2VjcmV0IG9mIDMyIGJ5dGVz";

/// A running receiver. Clones share it; it ends with the runtime.
#[derive(Clone)]
pub struct Receiver {
    address: SocketAddr,
    webhook: Arc<Webhook>,
    messages: Arc<Mutex<BTreeMap<Uuid, Vec<Value>>>>,
    /// The status it answers; 0 to never answer.
    status: Arc<AtomicU16>,
    /// Locked for writing while answers are held back.
    gate: Arc<RwLock<()>>,
}

impl Receiver {
    /// Starts a receiver on a free port of loopback.
    ///
    /// # Panics
    /// No port is free.
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let receiver = Self {
            address: listener.local_addr().expect("an address"),
            webhook: Arc::new(Webhook::new(SECRET).expect("a secret")),
            messages: Arc::default(),
            status: Arc::new(AtomicU16::new(200)),
            gate: Arc::default(),
        };
        let router = Router::new().route("/hook", post(hook)).with_state(receiver.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        receiver
    }

    /// Its URL.
    pub fn url(&self) -> String {
        format!("http://{}/hook", self.address)
    }

    /// Answers with this status from now on; 0 to never answer.
    pub fn answer(&self, status: u16) {
        self.status.store(status, Ordering::Relaxed);
    }

    /// Accepts messages and holds its answers back until the guard is dropped.
    ///
    /// # Panics
    /// Answers are already held back.
    #[must_use]
    pub fn hold(&self) -> OwnedRwLockWriteGuard<()> {
        Arc::clone(&self.gate).try_write_owned().expect("answers are kept back once")
    }

    /// The bodies that arrived with a valid signature, by `webhook-id`.
    pub fn messages(&self) -> MutexGuard<'_, BTreeMap<Uuid, Vec<Value>>> {
        self.messages.lock()
    }
}

async fn hook(State(receiver): State<Receiver>, headers: HeaderMap, body: Bytes) -> StatusCode {
    let id = headers.get("webhook-id").and_then(|id| id.to_str().ok()?.parse().ok());
    let (Some(id), Ok(())) = (id, receiver.webhook.verify(&body, &headers)) else {
        return StatusCode::UNAUTHORIZED;
    };
    let message = serde_json::from_slice(&body).unwrap_or(Value::Null);
    receiver.messages().entry(id).or_default().push(message);
    drop(receiver.gate.read().await);
    match receiver.status.load(Ordering::Relaxed) {
        0 => std::future::pending().await,
        status => StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR),
    }
}
