//! The HTTP side of [`Health`].

use std::io;
use std::net::{Ipv4Addr, SocketAddr};

use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use axum::routing::get;
use axum::{Json, Router};
use serde_json::{Map, Value, json};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::Health;
use super::connections::{ConnectionLimits, serve};
use crate::config::Listen;
use crate::metrics;

/// The port of each process when nothing else is said, so that all of them fit on one machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DefaultPort(u16);

impl DefaultPort {
    /// `agentauri run` and `agentauri demo`: all parts in one process.
    pub const RUN: Self = Self(9464);
    /// `event-processor`.
    pub const EVENT_PROCESSOR: Self = Self(9465);
    /// `action-worker`.
    pub const ACTION_WORKER: Self = Self(9466);
    /// `chain-indexer`.
    pub const CHAIN_INDEXER: Self = Self(9467);
    /// `api-gateway`.
    pub const API_GATEWAY: Self = Self(9468);

    /// The process that has it.
    fn process(self) -> &'static str {
        match self {
            Self::EVENT_PROCESSOR => "event-processor",
            Self::ACTION_WORKER => "action-worker",
            Self::CHAIN_INDEXER => "chain-indexer",
            Self::API_GATEWAY => "api-gateway",
            _ => "agentauri",
        }
    }
}

/// The address that was asked for cannot be listened on. A person chooses another one.
#[derive(Debug, thiserror::Error)]
#[error("AGENTAURI_LISTEN: cannot listen on {address}: {source}")]
pub struct BindError {
    address: SocketAddr,
    source: io::Error,
}

/// Serves `/health`, `/ready` and `/metrics`.
#[derive(Debug)]
pub struct HealthServer {
    listener: TcpListener,
    router: Router,
    limits: ConnectionLimits,
}

/// Begins to measure, and serves in the background until `shutdown`, where [`HealthServer::bind`]
/// listens.
pub async fn start(
    health: Health,
    listen: Listen,
    port: DefaultPort,
    shutdown: CancellationToken,
) -> Result<(), BindError> {
    metrics::install(port.process());
    if let Some(server) = HealthServer::bind(listen, port, health).await? {
        tokio::spawn(server.run(shutdown));
    }
    Ok(())
}

impl HealthServer {
    /// Listens where `listen` says, on `port` of loopback by default. `None` if it is off, or if
    /// the default port is taken: then it warns, as the operator did not ask for that port.
    pub async fn bind(
        listen: Listen,
        port: DefaultPort,
        health: Health,
    ) -> Result<Option<Self>, BindError> {
        let address = match listen {
            Listen::Off => return Ok(None),
            Listen::Default => SocketAddr::from((Ipv4Addr::LOCALHOST, port.0)),
            Listen::At(address) => address,
        };
        match TcpListener::bind(address).await {
            Ok(listener) => {
                let limits = ConnectionLimits::default();
                Ok(Some(Self { listener, router: router(health), limits }))
            }
            Err(error) if listen == Listen::Default => {
                tracing::warn!(%address, %error, "Health is not served; see AGENTAURI_LISTEN");
                Ok(None)
            }
            Err(source) => Err(BindError { address, source }),
        }
    }

    /// The same server with other limits.
    #[must_use]
    pub fn with_limits(self, limits: ConnectionLimits) -> Self {
        Self { limits, ..self }
    }

    /// Its address, with the port that a request for any free one was given.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Serves until `shutdown`; open requests are answered first.
    pub async fn run(self, shutdown: CancellationToken) {
        let upkeep = tokio::spawn(metrics::keep_up(shutdown.clone()));
        serve(self.listener, self.router, self.limits, shutdown).await;
        upkeep.abort();
    }
}

/// `/health`, `/ready` and `/metrics`, to be served among other routes.
pub(super) fn router(health: Health) -> Router {
    Router::new()
        .route("/health", get(is_healthy))
        .route("/ready", get(is_ready))
        .route("/metrics", get(measured))
        .with_state(health)
}

async fn is_healthy(State(health): State<Health>) -> (StatusCode, Json<Value>) {
    answer("ok", "stalled", &health.stalled())
}

async fn is_ready(State(health): State<Health>) -> (StatusCode, Json<Value>) {
    let problems = health.problems();
    let (status, Json(mut answer)) = answer("ready", "starting", &health.unready());
    if problems.is_empty() {
        return (status, Json(answer));
    }
    let stops = problems.iter().any(|(_, problem)| problem.stops);
    let mut says = Map::new();
    for (part, problem) in problems {
        let text = says.entry(part).or_insert_with(|| String::new().into());
        let earlier = text.as_str().filter(|it| !it.is_empty()).map(|it| format!("{it}; "));
        *text = (earlier.unwrap_or_default() + &problem.says).into();
    }
    answer["problems"] = Value::Object(says);
    if !stops {
        return (status, Json(answer));
    }
    answer["status"] = "problem".into();
    (StatusCode::SERVICE_UNAVAILABLE, Json(answer))
}

async fn measured() -> impl IntoResponse {
    ([(CONTENT_TYPE, metrics::CONTENT_TYPE)], metrics::render())
}

fn answer(good: &str, bad: &str, missing: &[&str]) -> (StatusCode, Json<Value>) {
    if missing.is_empty() {
        return (StatusCode::OK, Json(json!({"status": good})));
    }
    (StatusCode::SERVICE_UNAVAILABLE, Json(json!({"status": bad, "missing": missing})))
}
