use action_worker::senders::webhook::response::{BODY_TIME_MAX, RESPONSE_BYTES_MAX};
use action_worker::senders::webhook::{ANSWER_FIELDS_MAX, TIMEOUT};
use axum::http::StatusCode;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::TimeDelta;
use event_engine::delivery::lease::Outcome;
use sha2::{Digest as _, Sha256};
use testbed::Received;
use tokio::io::AsyncWriteExt as _;

use super::receiver::{Receiver, raw, read_request};
use super::{SECRET, body, job, now, send_at, send_to, sender, url};

const OTHER_SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

#[tokio::test]
async fn a_webhook_has_standard_webhooks_headers_and_exact_body() {
    let mut receiver = Receiver::answering(StatusCode::NO_CONTENT).await;
    let attempt = send_to(&sender(), &url("http", receiver.address)).await;
    assert_eq!(attempt.outcome, Outcome::Delivered);
    assert_eq!((attempt.http_status, attempt.error), (Some(204), None));
    let arrived = receiver.next();
    assert_eq!(arrived.method, "POST");
    assert_eq!(arrived.body, body().as_str().as_bytes());
    assert_eq!(arrived.header("content-type"), "application/json");
    assert_eq!(arrived.header("user-agent"), concat!("agentauri/", env!("CARGO_PKG_VERSION")));
    assert_eq!(arrived.header("webhook-id"), "8f0c1c52-5b1d-8a3e-9d61-0f1e2d3c4b5a");
    assert_eq!(arrived.header("webhook-timestamp"), "1764000000");
    assert!(verifies(&arrived, SECRET));
    assert!(!verifies(&arrived, OTHER_SECRET));
}

#[tokio::test]
async fn attempts_share_id_and_body_but_not_time_and_signature() {
    let mut receiver = Receiver::answering(StatusCode::SERVICE_UNAVAILABLE).await;
    let (sender, url) = (sender(), url("http", receiver.address));
    send_at(&sender, &url, SECRET, now()).await;
    send_at(&sender, &url, SECRET, now() + TimeDelta::seconds(5)).await;
    let (first, second) = (receiver.next(), receiver.next());
    assert_eq!(first.header("webhook-id"), second.header("webhook-id"));
    assert_eq!(first.body, second.body);
    assert_eq!(second.header("webhook-timestamp"), "1764000005");
    assert_ne!(first.header("webhook-signature"), second.header("webhook-signature"));
    assert!(verifies(&first, SECRET) && verifies(&second, SECRET));
}

#[tokio::test]
async fn while_a_secret_rotates_either_verifies() {
    let mut receiver = Receiver::answering(StatusCode::OK).await;
    let both = format!("{OTHER_SECRET} {SECRET}");
    send_at(&sender(), &url("http", receiver.address), &both, now()).await;
    let arrived = receiver.next();
    assert!(verifies(&arrived, SECRET) && verifies(&arrived, OTHER_SECRET));
}

#[tokio::test]
async fn an_answer_is_kept_as_short_valid_text_without_nul() {
    let hostile = [b"ok\0\xff".as_slice(), "é".repeat(2_000).as_bytes()].concat();
    let receiver = Receiver::answering(hostile).await;
    let attempt = send_to(&sender(), &url("http", receiver.address)).await;
    assert_eq!(attempt.outcome, Outcome::Delivered);
    let response = attempt.response.expect("an answer");
    assert_eq!(response, format!("ok\u{fffd}\u{fffd}{}", "é".repeat(508)));
    assert!(response.len() <= RESPONSE_BYTES_MAX);
}

#[tokio::test]
async fn a_receiver_that_breaks_off_after_saying_200_has_taken_it() {
    let (address, _) = raw(async |mut connection| {
        read_request(&mut connection).await;
        let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nbegun";
        connection.write_all(answer).await.expect("written");
    })
    .await;
    let attempt = send_to(&sender(), &url("http", address)).await;
    assert_eq!((attempt.outcome, attempt.error), (Outcome::Delivered, None));
    assert_eq!(attempt.response.as_deref(), Some("begun"));
}

#[tokio::test]
async fn an_endless_answer_is_cut_and_its_connection_closed() {
    let (address, ended) = raw(async |mut connection| {
        read_request(&mut connection).await;
        let head = b"HTTP/1.1 200 OK\r\n\r\n";
        connection.write_all(head).await.expect("written");
        // Ends by the sender's closing alone.
        while connection.write_all(&[b'x'; 16 * 1024]).await.is_ok() {}
    })
    .await;
    let attempt = send_to(&sender(), &url("http", address)).await;
    assert_eq!(attempt.outcome, Outcome::Delivered);
    assert_eq!(attempt.response, Some("x".repeat(RESPONSE_BYTES_MAX)));
    let duration = attempt.duration.expect("a duration");
    assert!(duration < TIMEOUT, "cut by its size: {duration:?}");
    ended.await.expect("the connection was closed");
}

#[tokio::test]
async fn an_answer_that_stops_in_its_body_has_said_enough() {
    let (address, stalled) = raw(async |mut connection| {
        read_request(&mut connection).await;
        let answer = b"HTTP/1.1 202 Accepted\r\ncontent-length: 100\r\n\r\nbegun";
        connection.write_all(answer).await.expect("written");
        std::future::pending::<()>().await;
    })
    .await;
    let attempt = send_to(&sender(), &url("http", address)).await;
    assert_eq!((attempt.outcome, attempt.http_status), (Outcome::Delivered, Some(202)));
    assert_eq!(attempt.response.as_deref(), Some("begun"));
    let duration = attempt.duration.expect("a duration");
    assert!(duration < TIMEOUT, "it does not wait for the rest: {duration:?}");
    stalled.abort();
}

#[tokio::test]
async fn an_answer_without_a_length_is_judged_by_its_head() {
    let (address, open) = raw(async |mut connection| {
        read_request(&mut connection).await;
        connection.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.expect("written");
        // The other side ends it.
        let end = tokio::io::AsyncReadExt::read(&mut connection, &mut [0]).await;
        assert_eq!(end.expect("an end"), 0);
    })
    .await;
    let attempt = send_to(&sender(), &url("http", address)).await;
    assert_eq!(attempt.outcome, Outcome::Delivered);
    let duration = attempt.duration.expect("a duration");
    assert!(duration < TIMEOUT, "it does not wait for a body: {duration:?}");
    open.await.expect("the connection was closed");
}

#[tokio::test]
async fn an_answer_with_very_many_fields_is_taken() {
    for fields in [150, ANSWER_FIELDS_MAX] {
        let (address, _) = raw(async move |mut connection| {
            read_request(&mut connection).await;
            let fields: Vec<_> = (1..fields).map(|n| format!("x-field-{n}: {n}\r\n")).collect();
            let fields = fields.concat();
            let head = format!("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n{fields}\r\n");
            connection.write_all(head.as_bytes()).await.expect("written");
        })
        .await;
        let attempt = send_to(&sender(), &url("http", address)).await;
        assert_eq!((attempt.outcome, attempt.error), (Outcome::Delivered, None), "{fields}");
    }
}

/// The check of a receiver, written after the specification alone: HMAC (RFC 2104) by hand.
fn verifies(received: &Received, secret: &str) -> bool {
    let key = secret.strip_prefix("whsec_").expect("the prefix");
    let key = STANDARD.decode(key).expect("base64");
    let (id, timestamp) = (received.header("webhook-id"), received.header("webhook-timestamp"));
    let signed = [format!("{id}.{timestamp}.").as_bytes(), &received.body].concat();
    let expected = format!("v1,{}", STANDARD.encode(hmac_sha256(&key, &signed)));
    assert_eq!(id, job().to_string());
    received.header("webhook-signature").split(' ').any(|signature| signature == expected)
}

fn hmac_sha256(key: &[u8], message: &[u8]) -> Vec<u8> {
    let padded = |pad: u8| -> Vec<u8> {
        (0..64).map(|index| key.get(index).copied().unwrap_or(0) ^ pad).collect()
    };
    let inner = Sha256::new().chain_update(padded(0x36)).chain_update(message).finalize();
    Sha256::new().chain_update(padded(0x5c)).chain_update(inner).finalize().to_vec()
}

/// Later than a body is waited for.
async fn until_late() {
    tokio::time::sleep(BODY_TIME_MAX * 4).await;
}

#[tokio::test]
async fn a_late_body_delays_no_attempt_and_keeps_its_connection() {
    let (address, serving) = raw(async |mut connection| {
        for _ in 0..2 {
            read_request(&mut connection).await;
            let head = b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\n";
            connection.write_all(head).await.expect("written");
            until_late().await;
            connection.write_all(b"late").await.expect("written");
        }
    })
    .await;
    let (sender, url) = (sender(), url("http", address));
    let first = send_to(&sender, &url).await;
    assert_eq!((first.outcome, first.response.as_deref()), (Outcome::Delivered, Some("")));
    assert!(first.duration < Some(BODY_TIME_MAX * 4), "{first:?}");
    until_late().await;
    // A second connection would find nobody.
    let second = send_to(&sender, &url).await;
    assert_eq!(second.outcome, Outcome::Delivered, "{second:?}");
    drop(sender);
    serving.await.expect("both were served on one connection");
}
