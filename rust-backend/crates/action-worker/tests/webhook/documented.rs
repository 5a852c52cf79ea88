//! The receiver of docs/webhooks.md, as it is printed there.

use std::net::{Ipv4Addr, SocketAddr};
use std::process::Stdio;

use actions::webhook::WebhookRequest;
use actions::webhook::body::WebhookBody;
use actions::webhook::signer::Signer;
use chrono::Utc;
use event_engine::delivery::lease::Outcome;
use event_engine::job::JobId;
use testbed::eventually;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};

use super::{SECRET, body, job, retraction_of, sender, url};

const PAGE: &str = include_str!("../../../../../docs/webhooks.md");

#[tokio::test]
async fn the_documented_receiver_takes_each_once_in_any_order() {
    let address = free_address();
    let mut python = start(address);
    let mut said = BufReader::new(python.stdout.take().expect("piped")).lines();
    eventually("it listens", async || TcpStream::connect(address).await.is_ok()).await;
    let first = JobId::of_retraction(job());
    send(address, first, &body()).await;
    send(address, first, &body()).await;
    // This retraction overtakes its message.
    send(address, JobId::of_retraction(first), &retraction_of(job())).await;
    send(address, job(), &body()).await;
    let last = JobId::of_retraction(JobId::of_retraction(first));
    send(address, last, &body()).await;
    for line in [
        format!("NewFeedback {first}"),
        format!("retracted {}", job()),
        format!("NewFeedback {last}"),
    ] {
        assert_eq!(said.next_line().await.expect("it runs").as_deref(), Some(line.as_str()));
    }
}

async fn send(address: SocketAddr, job: JobId, body: &WebhookBody) {
    let signer = Signer::from_secrets(SECRET).expect("secrets");
    let url = url("http", address);
    let request = WebhookRequest { url, job, body: body.clone(), signer };
    let attempt = sender().post_at(&request, Utc::now()).await.expect("an attempt");
    assert_eq!(attempt.outcome, Outcome::Delivered, "{:?}", attempt.error);
}

fn free_address() -> SocketAddr {
    let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    listener.local_addr().expect("an address")
}

fn start(address: SocketAddr) -> Child {
    let code = PAGE.split("```python\n").nth(1).and_then(|rest| rest.split("```").next());
    let code = code.expect("the receiver").replace("9000", &address.port().to_string());
    let mut command = Command::new("python3");
    command.args(["-c", &code]).stdout(Stdio::piped()).stderr(Stdio::null()).kill_on_drop(true);
    command.spawn().expect("python3")
}
