//! Names with several addresses, some of which are dead.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use action_worker::senders::webhook::{SenderOptions, WebhookSender};
use axum::http::StatusCode;
use event_engine::delivery::lease::Outcome;
use tokio::net::{TcpListener, TcpSocket, TcpStream};

use super::receiver::Receiver;
use super::{RETRYABLE, error, loopback_allowed, send_to, url};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

/// A listener whose queue is full: the kernel drops whoever wants to connect. With the connections
/// that fill it.
async fn blackhole(address: SocketAddr) -> (TcpListener, Vec<TcpStream>) {
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.bind(address).expect("a port");
    let listener = socket.listen(1).expect("a listener");
    let address = listener.local_addr().expect("an address");
    let mut queued = Vec::new();
    let patience = Duration::from_millis(300);
    while let Ok(connected) = tokio::time::timeout(patience, TcpStream::connect(address)).await {
        queued.push(connected.expect("queued"));
    }
    (listener, queued)
}

/// A sender to whom each name leads to these addresses.
fn sender(addresses: &'static [[u8; 4]]) -> WebhookSender {
    let found: Vec<_> = addresses.iter().map(|&address| SocketAddr::from((address, 0))).collect();
    let lookup = Arc::new(move |_| {
        let found = Ok(found.clone());
        Box::pin(std::future::ready(found)) as futures::future::BoxFuture<'static, _>
    });
    let options =
        SenderOptions { lookup, connect_timeout: CONNECT_TIMEOUT, ..SenderOptions::default() };
    WebhookSender::with_options(loopback_allowed(), options).expect("a sender")
}

#[tokio::test]
async fn a_dead_address_leaves_time_to_the_next() {
    let receiver = Receiver::answering(StatusCode::OK).await;
    let port = receiver.address.port();
    let _dead = blackhole(SocketAddr::from(([127, 0, 0, 2], port))).await;
    let mut url = url("http", receiver.address);
    url.set_host(Some("receiver.test")).expect("a name");
    let attempt = send_to(&sender(&[[127, 0, 0, 2], [127, 0, 0, 1]]), &url).await;
    assert_eq!((attempt.outcome, attempt.error), (Outcome::Delivered, None));
}

#[tokio::test]
async fn addresses_that_are_all_dead_end_within_the_limit() {
    let (listener, _queued) = blackhole(SocketAddr::from(([127, 0, 0, 2], 0))).await;
    let mut url = url("http", listener.local_addr().expect("an address"));
    url.set_host(Some("receiver.test")).expect("a name");
    let attempt = send_to(&sender(&[[127, 0, 0, 2], [127, 0, 0, 2]]), &url).await;
    assert_eq!(attempt.outcome, RETRYABLE);
    assert!(error(&attempt).ends_with(" could not be connected to in time"), "{attempt:?}");
    assert!(attempt.duration < Some(CONNECT_TIMEOUT * 2), "{attempt:?}");
}
