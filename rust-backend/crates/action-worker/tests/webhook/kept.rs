//! Connections that are kept, and end just when they are used again.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use action_worker::senders::webhook::{Lookup, SenderOptions, WebhookSender};
use event_engine::delivery::lease::{Attempt, Outcome};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::receiver::read_request;
use super::{RETRYABLE, error, loopback_allowed, send_to, sender, url};

/// The end of a connection on which a second request is under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// Before it is read.
    Unread,
    /// In its middle.
    HalfRead,
    /// After it.
    Read,
    /// After it, by a reset.
    Reset,
    /// After the first byte of an answer.
    Begun,
    /// With something that is no HTTP.
    Nonsense,
}

/// Two attempts at a receiver that answers the first request of each connection, but for the
/// connections of these numbers, and ends each connection at its second request. Returns the
/// second attempt, and the number of connections.
async fn two_attempts(end: End, unanswered: &'static [usize]) -> (Attempt, usize) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let (opened, mut connections) = mpsc::unbounded_channel();
    let serving: JoinHandle<()> = tokio::spawn(async move {
        for number in 1.. {
            let (connection, _) = listener.accept().await.expect("a connection");
            opened.send(()).expect("the test waits");
            if !unanswered.contains(&number) {
                tokio::spawn(serve(connection, end));
            }
        }
    });
    let (sender, url) = (sender(), url("http", address));
    let first = send_to(&sender, &url).await;
    assert_eq!(first.outcome, Outcome::Delivered);
    let second = send_to(&sender, &url).await;
    serving.abort();
    let _ = serving.await;
    let mut count = 0;
    while connections.recv().await.is_some() {
        count += 1;
    }
    (second, count)
}

async fn serve(mut connection: TcpStream, end: End) {
    read_request(&mut connection).await;
    let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
    connection.write_all(answer).await.expect("written");
    let mut first_bytes = [0; 10];
    match end {
        End::Unread => connection.readable().await.expect("a request"),
        End::HalfRead => {
            connection.read_exact(&mut first_bytes).await.expect("its beginning");
        }
        End::Read | End::Reset | End::Begun | End::Nonsense => read_request(&mut connection).await,
    }
    match end {
        End::Reset => connection.set_zero_linger().expect("set"),
        End::Begun => connection.write_all(b"H").await.expect("written"),
        End::Nonsense => connection.write_all(b"\0\r\n\r\n").await.expect("written"),
        End::Unread | End::HalfRead | End::Read => {}
    }
}

#[tokio::test]
async fn a_kept_connection_that_ends_costs_no_attempt() {
    for end in [End::Unread, End::HalfRead, End::Read, End::Reset] {
        let (attempt, connections) = two_attempts(end, &[]).await;
        assert_eq!((attempt.outcome, attempt.error), (Outcome::Delivered, None), "{end:?}");
        assert_eq!(connections, 2, "{end:?}");
    }
}

#[tokio::test]
async fn a_connection_that_ends_is_replaced_once() {
    let (attempt, connections) = two_attempts(End::Read, &[2]).await;
    assert_eq!((attempt.outcome, attempt.http_status), (RETRYABLE, None));
    assert!(error(&attempt).contains(" did not answer in HTTP: "), "{attempt:?}");
    assert_eq!(connections, 2);
}

#[tokio::test]
async fn a_request_that_was_sent_counts_whatever_lacks_then() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let serving = tokio::spawn(async move {
        let (connection, _) = listener.accept().await.expect("a connection");
        serve(connection, End::Read).await;
    });
    // No file is left for the lookup after the first.
    let was_asked = AtomicBool::new(false);
    let lookup: Lookup = Arc::new(move |_host| {
        let found = if was_asked.swap(true, Ordering::Relaxed) {
            Err(io::Error::from_raw_os_error(24))
        } else {
            Ok(vec![SocketAddr::from(([127, 0, 0, 1], 0))])
        };
        Box::pin(std::future::ready(found))
    });
    let options = SenderOptions { lookup, ..SenderOptions::default() };
    let sender = WebhookSender::with_options(loopback_allowed(), options).expect("a sender");
    let mut url = url("http", address);
    url.set_host(Some("receiver.test")).expect("a name");
    assert_eq!(send_to(&sender, &url).await.outcome, Outcome::Delivered);
    // Its address is not known any more.
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(2)).await;
    tokio::time::resume();
    let second = send_to(&sender, &url).await;
    assert_eq!((second.outcome, second.http_status), (RETRYABLE, None));
    assert!(error(&second).contains("could not be connected to"), "{second:?}");
    serving.await.expect("the second request was read");
}

#[tokio::test]
async fn a_connection_that_began_to_answer_is_not_replaced() {
    for end in [End::Begun, End::Nonsense] {
        let (attempt, connections) = two_attempts(end, &[]).await;
        assert_eq!((attempt.outcome, attempt.http_status), (RETRYABLE, None), "{end:?}");
        assert_eq!(connections, 1, "{end:?}");
    }
}

#[tokio::test]
async fn a_new_connection_that_ends_is_not_replaced() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = url("http", listener.local_addr().expect("an address"));
    let (attempt, requests) = tokio::join!(
        async {
            let attempt = send_to(&sender(), &url).await;
            // The end of the server's wait.
            let _ = TcpStream::connect(url.socket_addrs(|| None).expect("an address")[0]).await;
            attempt
        },
        async {
            let mut requests = 0;
            loop {
                let (mut connection, _) = listener.accept().await.expect("a connection");
                let mut byte = [0];
                if connection.read(&mut byte).await.expect("a request") == 0 {
                    return requests;
                }
                requests += 1;
            }
        }
    );
    assert_eq!((attempt.outcome, attempt.http_status), (RETRYABLE, None));
    assert_eq!(requests, 1);
}
