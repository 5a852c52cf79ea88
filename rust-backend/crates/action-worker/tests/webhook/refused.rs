use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use action_worker::act::Performer as _;
use action_worker::senders::Senders;
use action_worker::senders::secrets::SecretContext;
use action_worker::senders::webhook::{Lookup, SenderOptions, WebhookSender};
use axum::http::StatusCode;
use event_engine::delivery::lease::{Attempt, Lease, LeasedJob, Outcome};
use event_engine::finality::Finality;
use event_engine::trigger::TriggerId;
use event_engine::trigger::config::ConfigNode;
use url::Url;
use uuid::Uuid;

use super::receiver::Receiver;
use super::{RETRYABLE, SECRET, allowing, error, event, job, now, send_to, sender, url};

#[tokio::test]
async fn a_private_address_is_refused_for_good_without_a_connection() {
    let mut receiver = Receiver::answering(StatusCode::OK).await;
    let port = receiver.address.port();
    for host in ["127.0.0.1", "2130706433", "[::ffff:127.0.0.1]", "localhost"] {
        let attempt = perform("", &format!("http://{host}:{port}/?token=hunter2")).await;
        assert_eq!((attempt.outcome, attempt.http_status), (Outcome::Permanent, None), "{host}");
        assert!(error(&attempt).contains("AGENTAURI_ALLOW_PRIVATE_DESTINATIONS"), "{host}");
    }
    assert!(receiver.received_nothing());
}

#[tokio::test]
async fn a_url_with_a_password_is_refused_and_the_password_not_told() {
    let attempt = perform("127.0.0.0/8", "https://user:hunter2@example.org/").await;
    assert_eq!(attempt.outcome, Outcome::Permanent);
    assert_eq!(error(&attempt), "url: the URL must not carry a user name or password");
}

#[tokio::test]
async fn a_name_that_leads_inside_is_refused_and_tried_again() {
    let mut receiver = Receiver::answering(StatusCode::OK).await;
    let attempt = send_to(&sending("", &["127.0.0.1"]), &named(receiver.address)).await;
    assert_eq!((attempt.outcome, attempt.http_status), (RETRYABLE, None));
    let told = "hooks.example was refused, for it leads to 127.0.0.1 (loopback, RFC 1122)";
    assert_eq!(error(&attempt), told);
    assert!(receiver.received_nothing());
}

#[tokio::test]
async fn of_a_name_only_the_permitted_addresses_are_connected_to() {
    let mut permitted = Receiver::answering(StatusCode::OK).await;
    let port = permitted.address.port();
    let mut refused = Receiver::at(&format!("127.0.0.2:{port}"), StatusCode::OK).await;
    let sender = sending("127.0.0.1/32", &["127.0.0.2", "127.0.0.1"]);
    let attempt = send_to(&sender, &named(permitted.address)).await;
    assert_eq!(attempt.outcome, Outcome::Delivered);
    assert_eq!(permitted.next().header("host"), format!("hooks.example:{port}"));
    assert!(refused.received_nothing());
}

#[tokio::test]
async fn a_name_that_turns_inside_between_two_attempts_is_refused() {
    let receiver = Receiver::answering(StatusCode::OK).await;
    let lookups = AtomicUsize::new(0);
    let lookup: Lookup = Arc::new(move |_| {
        let turned = lookups.fetch_add(1, Ordering::Relaxed) > 0;
        let address = if turned { [10, 0, 0, 1] } else { [127, 0, 0, 1] };
        Box::pin(std::future::ready(Ok(vec![SocketAddr::from((address, 0))])))
    });
    // Without connections that are kept: those lead where they were checked to lead.
    let url = named(receiver.address);
    let sender = with_lookup("127.0.0.0/8", Arc::clone(&lookup));
    assert_eq!(send_to(&sender, &url).await.outcome, Outcome::Delivered);
    let attempt = send_to(&with_lookup("127.0.0.0/8", lookup), &url).await;
    assert_eq!(attempt.outcome, RETRYABLE);
    assert!(error(&attempt).contains("10.0.0.1 (private, RFC 1918)"), "{attempt:?}");
}

#[tokio::test]
async fn localhost_is_a_destination_where_loopback_is_allowed() {
    let receiver = Receiver::answering(StatusCode::OK).await;
    let mut url = url("http", receiver.address);
    url.set_host(Some("localhost")).expect("a host");
    assert_eq!(send_to(&sender(), &url).await.outcome, Outcome::Delivered);
}

#[tokio::test]
async fn a_name_that_does_not_exist_is_tried_again() {
    let lookup: Lookup =
        Arc::new(|_| Box::pin(std::future::ready(Err(std::io::Error::other("no such name")))));
    let url = Url::parse("https://hooks.example/?token=hunter2").expect("a URL");
    let attempt = send_to(&with_lookup("", lookup), &url).await;
    assert_eq!(attempt.outcome, RETRYABLE);
    assert_eq!(error(&attempt), "hooks.example:443 could not be connected to: no such name");
}

/// One attempt by the senders of all kinds, as a worker makes it.
async fn perform(allowed: &str, url: &str) -> Attempt {
    let senders = Senders::new(allowing(allowed), SecretContext::default()).expect("senders");
    let (attempt, _) = senders.perform(&assignment(url)).await.expect("an attempt");
    attempt
}

fn assignment(url: &str) -> LeasedJob {
    let event = event();
    let secret = ConfigNode::text(SECRET);
    LeasedJob {
        lease: Lease {
            id: job(),
            attempt: 1,
            until: now(),
            schedule_from: 0,
            trigger: (TriggerId(Uuid::nil()), 1),
            action: ("hook".to_owned(), 1),
            event: event.name.clone(),
            revision: 0,
            created_at: now(),
            wanted_since: chrono::DateTime::UNIX_EPOCH,
            retracts: None,
        },
        trigger_name: "low-score".to_owned(),
        finality: Finality::Instant,
        action_type: "webhook".to_owned(),
        retry: None,
        config: Ok(ConfigNode::table([("url", ConfigNode::text(url)), ("secret", secret)])),
        event,
        event_created_at: now(),
        log_data: None,
        readings: None,
        reorg: None,
        reincluded: None,
    }
}

fn named(address: SocketAddr) -> Url {
    let mut url = url("http", address);
    url.set_host(Some("hooks.example")).expect("a host");
    url
}

fn sending(allowed: &str, addresses: &[&str]) -> WebhookSender {
    let parse = |address: &&str| SocketAddr::new(address.parse().expect("an address"), 0);
    let found: Vec<_> = addresses.iter().map(parse).collect();
    with_lookup(allowed, Arc::new(move |_| Box::pin(std::future::ready(Ok(found.clone())))))
}

fn with_lookup(allowed: &str, lookup: Lookup) -> WebhookSender {
    let options = SenderOptions { lookup, ..SenderOptions::default() };
    WebhookSender::with_options(allowing(allowed), options).expect("a sender")
}
