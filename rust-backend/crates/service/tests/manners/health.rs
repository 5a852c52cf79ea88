//! `/health` and `/ready` over HTTP.

use std::net::SocketAddr;
use std::time::Duration;

use service::config::Listen;
use service::health::{DefaultPort, Health, HealthServer};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

const LONG: Duration = Duration::from_mins(10);

#[tokio::test]
async fn health_and_readiness_are_told_over_http() {
    let health = Health::default();
    let (address, shutdown, server) = serve(health.clone()).await;
    assert_eq!(get(address, "health").await, (200, r#"{"status":"ok"}"#.to_owned()));
    assert_eq!(get(address, "ready").await, (200, r#"{"status":"ready"}"#.to_owned()));

    let wheel = health.register("wheel", LONG);
    let missing = r#"{"status":"starting","missing":["wheel"]}"#.to_owned();
    assert_eq!(get(address, "ready").await, (503, missing));
    wheel.ready();
    assert_eq!(get(address, "ready").await.0, 200);

    // A part that may not rest at all is late by the time that somebody asks.
    let _stalled = health.register("listener", Duration::ZERO);
    while health.stalled().is_empty() {
        tokio::task::yield_now().await;
    }
    let missing = r#"{"status":"stalled","missing":["listener"]}"#.to_owned();
    assert_eq!(get(address, "health").await, (503, missing));

    shutdown.cancel();
    server.await.expect("ended");
    assert!(tokio::net::TcpStream::connect(address).await.is_err());
}

#[tokio::test]
async fn a_taken_address_is_an_error_that_names_the_variable() {
    let (address, _shutdown, _server) = serve(Health::default()).await;
    let bound = HealthServer::bind(Listen::At(address), DefaultPort::RUN, Health::default()).await;
    let error = bound.expect_err("taken").to_string();
    let expected = format!("AGENTAURI_LISTEN: cannot listen on {address}: ");
    assert!(error.starts_with(&expected), "{error}");
}

#[tokio::test]
async fn a_taken_default_port_does_not_keep_a_process_from_running() {
    // Whoever has it already, one of the two gets none, and neither fails.
    let bind = || HealthServer::bind(Listen::Default, DefaultPort::RUN, Health::default());
    let _first = bind().await.expect("no error");
    assert!(bind().await.expect("no error").is_none());
}

#[tokio::test]
async fn off_is_off() {
    let server = HealthServer::bind(Listen::Off, DefaultPort::RUN, Health::default()).await;
    assert!(server.expect("no error").is_none());
}

async fn serve(health: Health) -> (SocketAddr, CancellationToken, JoinHandle<()>) {
    let any = Listen::At("127.0.0.1:0".parse().expect("an address"));
    let server = HealthServer::bind(any, DefaultPort::RUN, health).await;
    let server = server.expect("bound").expect("asked for");
    let (address, shutdown) = (server.local_addr().expect("an address"), CancellationToken::new());
    let running = tokio::spawn(server.run(shutdown.clone()));
    (address, shutdown, running)
}

pub(crate) async fn get(address: SocketAddr, path: &str) -> (u16, String) {
    let client = service::http::client_builder().build().expect("a client");
    let answer = client.get(format!("http://{address}/{path}")).send().await.expect("answered");
    (answer.status().as_u16(), answer.text().await.expect("text"))
}
