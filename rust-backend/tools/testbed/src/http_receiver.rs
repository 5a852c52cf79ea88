//! An HTTP server whose answers its caller writes.

use std::net::SocketAddr;

use axum::Router;
use axum::body::Bytes;
use axum::http::{HeaderMap, Method, Uri};
use axum::response::IntoResponse;
use axum::routing::any;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

/// A request.
#[derive(Debug)]
pub struct Received {
    /// Its method.
    pub method: Method,
    /// Its target.
    pub uri: Uri,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body, as it came.
    pub body: Bytes,
}

impl Received {
    /// A header's text.
    ///
    /// # Panics
    /// It is not there, or no text.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).expect(name).to_str().expect("text")
    }
}

/// A running server. It ends when it is dropped.
#[derive(Debug)]
pub struct HttpReceiver {
    /// Its address.
    pub address: SocketAddr,
    _serving: JoinSet<()>,
}

impl HttpReceiver {
    /// Starts a server on a free port of loopback that answers each request by `answer`.
    ///
    /// # Panics
    /// No port is free.
    pub async fn start<F: Future<Output: IntoResponse> + Send + 'static>(
        answer: impl Fn(Received) -> F + Clone + Send + Sync + 'static,
    ) -> Self {
        Self::at("127.0.0.1:0", answer).await
    }

    /// Starts a server on this address.
    ///
    /// # Panics
    /// The address is taken.
    pub async fn at<F: Future<Output: IntoResponse> + Send + 'static>(
        address: &str,
        answer: impl Fn(Received) -> F + Clone + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind(address).await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let handler =
            move |method, uri, headers, body| answer(Received { method, uri, headers, body });
        let router = Router::new().fallback(any(handler));
        let mut serving = JoinSet::new();
        serving.spawn(async move {
            // It ends with the task.
            let _ = axum::serve(listener, router).await;
        });
        Self { address, _serving: serving }
    }

    /// The URL that a trigger's webhook names.
    pub fn url(&self) -> String {
        format!("http://{}/hook", self.address)
    }
}
