//! Receivers on loopback: one that answers, and ones that speak raw bytes.

use std::net::SocketAddr;

use axum::response::IntoResponse;
use testbed::{HttpReceiver, Received};
use tokio::io::AsyncReadExt as _;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

/// A server that answers each request alike and remembers it.
pub(crate) struct Receiver {
    pub(crate) address: SocketAddr,
    received: mpsc::UnboundedReceiver<Received>,
    _server: HttpReceiver,
}

impl Receiver {
    pub(crate) async fn answering(
        answer: impl IntoResponse + Clone + Send + Sync + 'static,
    ) -> Self {
        Self::at("127.0.0.1:0", answer).await
    }

    pub(crate) async fn at(
        address: &str,
        answer: impl IntoResponse + Clone + Send + Sync + 'static,
    ) -> Self {
        let (sender, received) = mpsc::unbounded_channel();
        let server = HttpReceiver::at(address, move |request| {
            let remembered = sender.send(request);
            let answer = answer.clone().into_response();
            async move { remembered.map_or_else(|_| ().into_response(), |()| answer) }
        });
        let server = server.await;
        Self { address: server.address, received, _server: server }
    }

    /// The next request, which has already been answered.
    pub(crate) fn next(&mut self) -> Received {
        self.received.try_recv().expect("a request")
    }

    pub(crate) fn received_nothing(&mut self) -> bool {
        self.received.try_recv().is_err()
    }
}

/// Accepts one connection and hands it over. The task ends when `speak` does.
pub(crate) async fn raw<F, Speaking>(speak: F) -> (SocketAddr, JoinHandle<()>)
where
    F: FnOnce(TcpStream) -> Speaking + Send + 'static,
    Speaking: Future<Output = ()> + Send,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let task = tokio::spawn(async move {
        let (connection, _) = listener.accept().await.expect("a connection");
        speak(connection).await;
    });
    (address, task)
}

/// Reads a request with its body, as far as a sender has sent it.
pub(crate) async fn read_request(connection: &mut TcpStream) {
    let mut request = Vec::new();
    while !request.ends_with(super::body().as_str().as_bytes()) {
        assert_ne!(connection.read_buf(&mut request).await.expect("a request"), 0);
    }
}
