//! Processes that have few files, and strangers who take more.

use std::process::Command;

use testbed::{Bed, Process, Receiver, Row, eventually, more_triggers, trigger_file};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

use crate::metrics::free_address;

#[tokio::test(flavor = "multi_thread")]
async fn half_open_requests_leave_webhooks_their_files() {
    let (bed, receiver) = (Bed::start().await, Receiver::start().await);
    bed.apply(&trigger_file(&receiver.url(), &[("all", "match_all: true")])).await;
    let _processor = Process::start("event-processor", &bed, &[]);
    let address = free_address();
    let mut command = Process::limited("action-worker", &bed, (40, 128));
    command.env("AGENTAURI_LISTEN", &address);
    let worker = Process::spawn(command);
    let open = async || TcpStream::connect(&address).await;
    eventually("it listens", async || open().await.is_ok()).await;
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", worker.pid()));
    let limits = limits.expect("its limits");
    let files = limits.lines().find(|line| line.starts_with("Max open files")).expect("a line");
    let files: Vec<&str> = files.split_whitespace().skip(3).take(2).collect();
    assert_eq!(files, ["128", "128"], "the soft limit is the hard one");

    let mut half_open = Vec::new();
    for _ in 0..150 {
        let mut stream = open().await.expect("connected");
        // It may have made room already.
        let _ = stream.write_all(b"GET /health HTTP/1.1\r\nx: ").await;
        half_open.push(stream);
    }
    Row::new("e").insert(&bed.pool).await.expect("inserted");
    eventually("it is delivered", async || !receiver.messages().is_empty()).await;
    let answer = service::http::client_builder().build().expect("a client");
    let answer = answer.get(format!("http://{address}/health")).send().await.expect("an answer");
    assert_eq!(answer.status(), 200);
    eventually("it is recorded", async || {
        bed.count("SELECT count(*) FROM action_results WHERE status = 'delivered'").await == 1
    })
    .await;
    assert_eq!(bed.count("SELECT count(*) FROM action_results").await, 1);
    assert_eq!(bed.count("SELECT count(*) FROM jobs WHERE attempts <> 1").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_webhook_that_no_file_is_left_for_waits_uncounted() {
    let bed = Bed::start().await;
    let (first, other) = (Receiver::start().await, Receiver::start().await);
    let document = trigger_file(&first.url(), &[("first", "registry: identity")]);
    // Its name has to be looked up, which takes files too.
    let named = other.url().replace("127.0.0.1", "localhost");
    bed.apply(&more_triggers(document, &named, &[("other", "registry: reputation")])).await;
    let _processor = Process::start("event-processor", &bed, &[]);
    let worker = Process::start("action-worker", &bed, &[("AGENTAURI_RETRY_SCHEDULE", "0s")]);
    Row::new("warm").insert(&bed.pool).await.expect("inserted");
    eventually("it works", async || !first.messages().is_empty()).await;

    allow_files(&worker, 1);
    Row::feedback("e", 1).insert(&bed.pool).await.expect("inserted");
    eventually("it says so", async || worker.said("Attempts cannot begin")).await;
    eventually("the lease is given back", async || {
        let waiting = "SELECT count(*) FROM jobs WHERE state = 'pending' AND attempts = 0";
        bed.count(waiting).await == 1
    })
    .await;
    allow_files(&worker, 1_000);
    eventually("it is delivered", async || !other.messages().is_empty()).await;
    eventually("it is recorded", async || {
        bed.count("SELECT count(*) FROM jobs WHERE state = 'delivered'").await == 2
    })
    .await;
    assert_eq!(bed.count("SELECT count(*) FROM action_results").await, 2);
    assert_eq!(bed.count("SELECT count(*) FROM jobs WHERE attempts <> 1").await, 0);
    let told = worker.lines().iter().filter(|line| line.contains("Attempts cannot begin")).count();
    assert_eq!(told, 1, "once");
}

/// Sets a running process's soft limit.
fn allow_files(process: &Process, files: u32) {
    let pid = process.pid().to_string();
    let set = Command::new("prlimit")
        .args(["--pid", &pid, &format!("--nofile={files}:")])
        .status()
        .expect("prlimit");
    assert!(set.success());
}
