//! The proxy does what its names say.

use std::io;
use std::time::Duration;

use fault_harness::proxy::{Proxy, Way};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

/// Far longer than anything takes here.
const SOON: Duration = Duration::from_secs(10);
/// What has not arrived by then is not on its way.
const NEVER: Duration = Duration::from_millis(200);

#[tokio::test]
async fn what_is_sent_arrives_until_the_connection_is_cut() {
    let proxy = before_an_echo().await;
    let mut stream = connected(&proxy).await;
    assert_eq!(echoed(&mut stream, SOON).await.expect("an answer"), *b"ping");
    proxy.cut();
    let error = timeout(SOON, stream.read(&mut [0; 4])).await.expect("soon").expect_err("reset");
    assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
    let mut another = connected(&proxy).await;
    assert_eq!(echoed(&mut another, SOON).await.expect("new ones pass"), *b"ping");
}

#[tokio::test]
async fn a_stalled_connection_stays_silent_while_new_ones_pass() {
    for way in [Way::ToServer, Way::ToClient, Way::Both] {
        let proxy = before_an_echo().await;
        let mut stalled = connected(&proxy).await;
        echoed(&mut stalled, SOON).await.expect("an answer");
        proxy.stall(way);
        assert!(echoed(&mut stalled, NEVER).await.is_err(), "{way:?}");
        proxy.restore();
        let mut fresh = connected(&proxy).await;
        assert_eq!(echoed(&mut fresh, SOON).await.expect("passes"), *b"ping");
        assert!(timeout(NEVER, stalled.read(&mut [0; 4])).await.is_err(), "not even its end");
    }
}

#[tokio::test]
async fn in_silence_new_connections_are_silent_until_it_ends() {
    let proxy = before_an_echo().await;
    proxy.silence();
    let mut stalled = connected(&proxy).await;
    assert!(echoed(&mut stalled, NEVER).await.is_err());
    proxy.restore();
    let mut fresh = connected(&proxy).await;
    assert_eq!(echoed(&mut fresh, SOON).await.expect("passes"), *b"ping");
}

#[tokio::test]
async fn who_is_refused_is_reset_until_it_clears_up() {
    let proxy = before_an_echo().await;
    proxy.refuse();
    let mut refused = connected(&proxy).await;
    assert!(echoed(&mut refused, SOON).await.is_err());
    proxy.restore();
    let mut fresh = connected(&proxy).await;
    assert_eq!(echoed(&mut fresh, SOON).await.expect("passes"), *b"ping");
}

async fn before_an_echo() -> Proxy {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let (mut from, mut to) = stream.split();
                tokio::io::copy(&mut from, &mut to).await
            });
        }
    });
    Proxy::before(port).await.expect("a proxy")
}

async fn connected(proxy: &Proxy) -> TcpStream {
    TcpStream::connect(("127.0.0.1", proxy.port())).await.expect("connected")
}

async fn echoed(stream: &mut TcpStream, limit: Duration) -> io::Result<[u8; 4]> {
    stream.write_all(b"ping").await?;
    let mut answer = [0; 4];
    timeout(limit, stream.read_exact(&mut answer)).await.map_err(io::Error::other)??;
    Ok(answer)
}
