//! Peers of the health server that take their time, or never mean to ask anything.

use std::net::SocketAddr;
use std::time::Duration;

use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;
use rand::{RngExt as _, SeedableRng as _};
use service::config::Listen;
use service::health::{ConnectionLimits, DefaultPort, Health, HealthServer};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;

use crate::health::get;

/// Longer than any connection may live here, on a machine that does much else.
const PATIENCE: Duration = Duration::from_secs(30);

/// A server with these limits, which ends with the runtime.
async fn serving(limits: ConnectionLimits) -> SocketAddr {
    let any = Listen::At("127.0.0.1:0".parse().expect("an address"));
    let server = HealthServer::bind(any, DefaultPort::RUN, Health::default()).await;
    let server = server.expect("bound").expect("asked for").with_limits(limits);
    let address = server.local_addr().expect("an address");
    tokio::spawn(server.run(CancellationToken::new()));
    address
}

/// A connection on which this was sent.
async fn sent(address: SocketAddr, bytes: &[u8]) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.expect("connected");
    // The server may have made room already.
    let _ = stream.write_all(bytes).await;
    stream
}

/// Waits until the server has ended the connection.
async fn until_ended(mut stream: TcpStream) {
    let mut answer = Vec::new();
    let ended = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut answer)).await;
    assert!(ended.is_ok(), "still open after {} bytes", answer.len());
}

#[tokio::test]
async fn half_open_requests_keep_nobody_out() {
    // They would stay for an hour.
    let hour = Duration::from_hours(1);
    let limits = ConnectionLimits { connections_max: 16, head_max: hour, whole_max: hour };
    let address = serving(limits).await;
    let mut half_open = Vec::new();
    for _ in 0..150 {
        half_open.push(sent(address, b"GET /health HT").await);
    }
    assert_eq!(get(address, "health").await.0, 200);
    // All but the newest made room.
    for stream in half_open.drain(..150 - 16) {
        until_ended(stream).await;
    }
}

#[tokio::test]
async fn a_connection_ends_whatever_its_peer_does() {
    let short = Duration::from_millis(300);
    let limits = ConnectionLimits { connections_max: 64, head_max: short, whole_max: 2 * short };
    let address = serving(limits).await;
    let mut dice = StdRng::seed_from_u64(3);
    let endless = vec![b'x'; 256 * 1_024];
    let (mut ends, kinds) = (Vec::new(), ["silent", "half", "idle", "endless", "body", "drip"]);
    for _ in 0..48 {
        let cut = dice.random_range(1..40);
        let head = b"GET /metrics HTTP/1.1\r\nhost: here\r\nx: y\r\n";
        let said: Vec<u8> = match *kinds.choose(&mut dice).expect("some") {
            "silent" => Vec::new(),
            "half" => head[..cut].to_vec(),
            "idle" => [&head[..], b"\r\n"].concat(),
            "endless" => [&head[..], b"z: ", &endless].concat(),
            "body" => b"POST /health HTTP/1.1\r\ncontent-length: 1000000\r\n\r\nx".to_vec(),
            _ => {
                ends.push(tokio::spawn(async move { until_dripped(address).await }));
                continue;
            }
        };
        let stream = sent(address, &said).await;
        ends.push(tokio::spawn(until_ended(stream)));
    }
    for end in ends {
        end.await.expect("ended");
    }
    assert_eq!(get(address, "health").await.0, 200);
}

/// Sends a head that never ends, a byte now and then, until the server has had enough.
async fn until_dripped(address: SocketAddr) {
    let mut stream = sent(address, b"GET /health HTTP/1.1\r\nx: ").await;
    let dripped = tokio::time::timeout(PATIENCE, async {
        while stream.write_all(b"y").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    assert!(dripped.await.is_ok(), "it listens for ever");
}
