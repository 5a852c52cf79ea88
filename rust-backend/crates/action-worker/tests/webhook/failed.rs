use std::time::Duration;

use action_worker::senders::webhook::TIMEOUT;
use axum::http::StatusCode;
use event_engine::delivery::lease::Outcome;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::receiver::{Receiver, raw, read_request};
use super::{IMPATIENCE, RETRYABLE, error, impatient_sender, send_to, sender, url};

#[tokio::test]
async fn a_receiver_that_never_answers_is_given_up() {
    let (address, silent) = raw(async |_connection| std::future::pending::<()>().await).await;
    let attempt = send_to(&impatient_sender(), &url("http", address)).await;
    assert_eq!((attempt.outcome, attempt.http_status), (RETRYABLE, None));
    assert_eq!(error(&attempt), format!("{address} did not answer within 2s"));
    let expected = IMPATIENCE..TIMEOUT;
    let duration = attempt.duration.expect("a duration");
    assert!(expected.contains(&duration), "{duration:?}");
    silent.abort();
}

#[tokio::test]
async fn a_receiver_that_closes_before_it_answers_is_tried_again() {
    let (address, _) = raw(async |mut connection| read_request(&mut connection).await).await;
    let attempt = send_to(&sender(), &url("http", address)).await;
    assert_eq!((attempt.outcome, attempt.http_status), (RETRYABLE, None));
    assert!(error(&attempt).starts_with(&format!("{address} did not answer in HTTP: ")));
}

#[tokio::test]
async fn a_receiver_that_closes_in_its_headers_is_tried_again() {
    let (address, _) = raw(async |mut connection| {
        read_request(&mut connection).await;
        connection.write_all(b"HTTP/1.1 200 OK\r\ncontent-le").await.expect("written");
    })
    .await;
    let attempt = send_to(&sender(), &url("http", address)).await;
    assert_eq!((attempt.outcome, attempt.http_status), (RETRYABLE, None));
}

#[tokio::test]
async fn endless_headers_are_cut() {
    let (address, ended) = raw(async |mut connection| {
        read_request(&mut connection).await;
        connection.write_all(b"HTTP/1.1 200 OK\r\nx: ").await.expect("written");
        while connection.write_all(&[b'x'; 16 * 1024]).await.is_ok() {}
    })
    .await;
    let attempt = send_to(&sender(), &url("http", address)).await;
    assert_eq!((attempt.outcome, attempt.http_status), (RETRYABLE, None));
    ended.await.expect("the connection was closed");
}

#[tokio::test]
async fn what_is_not_http_is_told_in_one_line() {
    let (address, _) = raw(async |mut connection| {
        read_request(&mut connection).await;
        connection.write_all(b"SSH-2.0-\x1b[31m\r\n\0hunter2\r\n\r\n").await.expect("written");
    })
    .await;
    let attempt = send_to(&sender(), &url("http", address)).await;
    assert_eq!(attempt.outcome, RETRYABLE);
    assert!(!error(&attempt).contains(char::is_control), "{attempt:?}");
}

#[tokio::test]
async fn a_redirect_is_told_and_not_followed() {
    let mut target = Receiver::answering(StatusCode::OK).await;
    let location = format!("http://{}/", target.address);
    for status in [StatusCode::FOUND, StatusCode::TEMPORARY_REDIRECT] {
        let receiver = Receiver::answering((status, [("location", location.clone())])).await;
        let attempt = send_to(&sender(), &url("http", receiver.address)).await;
        assert_eq!((attempt.outcome, attempt.http_status), (RETRYABLE, Some(status.as_u16())));
        let told = format!("{} answered {status}; redirects are not followed", receiver.address);
        assert_eq!(error(&attempt), told);
    }
    assert!(target.received_nothing());
}

#[tokio::test]
async fn a_receiver_that_is_gone_is_not_tried_again() {
    let receiver = Receiver::answering((StatusCode::GONE, "moved out")).await;
    let attempt = send_to(&sender(), &url("http", receiver.address)).await;
    assert_eq!((attempt.outcome, attempt.http_status), (Outcome::Permanent, Some(410)));
    assert_eq!(error(&attempt), format!("{} answered 410 Gone", receiver.address));
    assert_eq!(attempt.response.as_deref(), Some("moved out"));
}

#[tokio::test]
async fn a_busy_receiver_says_when_to_return() {
    for (status, value, seconds) in [
        (StatusCode::TOO_MANY_REQUESTS, "120", 120),
        (StatusCode::SERVICE_UNAVAILABLE, "Mon, 24 Nov 2025 16:01:00 GMT", 60),
    ] {
        let receiver = Receiver::answering((status, [("retry-after", value)])).await;
        let attempt = send_to(&sender(), &url("http", receiver.address)).await;
        let retry_after = Some(Duration::from_secs(seconds));
        assert_eq!(attempt.outcome, Outcome::Retryable { retry_after }, "{status}");
    }
}

#[tokio::test]
async fn a_port_where_nobody_listens_is_tried_again() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    drop(listener);
    let attempt = send_to(&sender(), &url("http", address)).await;
    assert_eq!((attempt.outcome, attempt.http_status), (RETRYABLE, None));
    let told = format!("{address} could not be connected to: Connection refused (os error 111)");
    assert_eq!(error(&attempt), told);
}

#[tokio::test]
async fn tls_to_a_port_without_it_is_tried_again() {
    let (address, _) = raw(async |mut connection| {
        let mut hello = [0; 16];
        connection.read_exact(&mut hello).await.expect("a client hello");
        connection.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await.expect("written");
    })
    .await;
    let attempt = send_to(&sender(), &url("https", address)).await;
    assert_eq!((attempt.outcome, attempt.http_status), (RETRYABLE, None));
    assert!(error(&attempt).starts_with(&format!("{address} could not be connected to: ")));
}
