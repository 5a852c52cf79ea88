//! What nodes and receivers repeat of our URLs is nowhere to be read.

use std::path::Path;

use axum::Json;
use axum::http::StatusCode;
use rand::distr::Alphanumeric;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use serde_json::json;
use testbed::{Bed, HttpReceiver, Process, Received, SECRET, eventually};

const KEY: &str = "0a1B2c3D4e5F6a7B8c9D";
const QUERY: &str = "q9W8e7R6t5Y4u3I2o1P0";
const PASSWORD: &str = "pa%2Fss/w0rd+of=mine";

/// A node that repeats the URL and the user that it was asked with, as some do.
async fn echoing_node() -> HttpReceiver {
    HttpReceiver::start(async |request: Received| {
        let user = request.headers.get("authorization");
        let user = user.and_then(|user| user.to_str().ok()).unwrap_or_default();
        let said = spelled(&format!("{} to {user}", request.uri));
        let message = format!("{} cannot serve {said}", "-".repeat(150));
        (StatusCode::FORBIDDEN, Json(json!({"id": 1, "error": {"code": -1, "message": message}})))
    })
    .await
}

/// In one of the spellings that may stand in an error, by its length.
fn spelled(text: &str) -> String {
    match text.len() % 4 {
        0 => text.to_uppercase(),
        1 => text.replace('/', "\\/").replace('&', "&amp;"),
        2 if text.len() < 60 => {
            text.bytes().map(|byte| format!("%{byte:02x}")).collect::<Vec<_>>().concat()
        }
        _ => text.to_owned(),
    }
}

fn configure(folder: &Path, rpc_url: &str) {
    let text = format!(
        "[[chains]]\nname = \"devnet\"\nid = 31337\nrpc_urls = [{rpc_url:?}]\n\
         poll_interval_ms = 50\n\
         registries = {{ identity = \"0x8004A818BFB912233c491871b3d84c89A494BD9e\" }}\n"
    );
    std::fs::write(folder.join("agentauri.toml"), text).expect("written");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_a_node_repeats_is_nowhere_to_be_read() {
    let bed = Bed::start().await;
    let folder = tempfile::tempdir().expect("a folder");
    let server = echoing_node().await;
    let node = server.address;
    let user = PASSWORD.replace('%', "%25").replace('/', "%2F");
    configure(folder.path(), &format!("http://me:{user}@{node}/v3/{KEY}/rpc?apikey={QUERY}"));
    let mut command = Process::command("chain-indexer", &bed);
    command.current_dir(folder.path());
    let indexer = Process::spawn(command);
    let told = "SELECT count(*) FROM chain_readers WHERE problem IS NOT NULL";
    eventually("its problem is reported", async || bed.count(told).await > 0).await;
    let status = async || agentauri(&bed, folder.path(), &["status", "--json"]).await.0;
    eventually("it is named", async || status().await.contains("cannot serve")).await;
    let status = status().await;
    let (doctor, _) = agentauri(&bed, folder.path(), &["doctor", "--json"]).await;
    let table: Vec<String> = sqlx::query_scalar("SELECT to_jsonb(p)::text FROM chain_readers p")
        .fetch_all(&bed.pool)
        .await
        .expect("rows");
    let log = indexer.lines().join("\n");
    let basic = "bWU6cGElMkZzcy93MHJkK29mPW1pbmU";
    for (place, text) in
        [("log", log), ("status", status), ("doctor", doctor), ("table", table.concat())]
    {
        assert!(text.contains("cannot serve") && text.contains("***"), "{place}: {text}");
        for secret in [KEY, QUERY, PASSWORD, &user, basic, &KEY[..8], &QUERY[12..]] {
            assert!(!text.contains(secret), "{place}: {secret}: {text}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_drawn_key_that_a_node_repeats_is_shown() {
    let bed = Bed::start().await;
    let folder = tempfile::tempdir().expect("a folder");
    let server = echoing_node().await;
    let node = server.address;
    let mut random = StdRng::seed_from_u64(17);
    let (mut file, mut keys) = (String::new(), Vec::new());
    for id in 1..=40 {
        let key: String = (0..24).map(|_| char::from(random.sample(Alphanumeric))).collect();
        let url = match id % 4 {
            0 => format!("http://{node}/v2/{key}"),
            1 => format!("http://{node}/{key}/mainnet?a=b"),
            2 => format!("http://{node}/?apikey={key}"),
            _ => format!("http://{key}:x-{key}@{node}/rpc"),
        };
        let registries = "{ identity = \"0x8004A818BFB912233c491871b3d84c89A494BD9e\" }";
        let chain = format!(
            "[[chains]]\nname = \"c{id}\"\nid = {id}\nrpc_urls = [{url:?}]\n\
             registries = {registries}\n"
        );
        file.push_str(&chain);
        keys.push(key);
    }
    std::fs::write(folder.path().join("agentauri.toml"), file).expect("written");
    let (said, code) = agentauri(&bed, folder.path(), &["doctor", "--json"]).await;
    assert_eq!(code, Some(1), "{said}");
    assert_eq!(said.matches("cannot serve").count(), keys.len(), "{said}");
    let lower = said.to_lowercase();
    for key in keys {
        for part in key.to_lowercase().as_bytes().windows(8) {
            let part = String::from_utf8_lossy(part);
            assert!(!lower.contains(part.as_ref()), "{key}: {said}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_webhooks_token_is_shown_to_nobody() {
    let bed = Bed::start().await;
    let folder = tempfile::tempdir().expect("a folder");
    let server = echoing_node().await;
    let node = server.address;
    let url = format!("http://{node}/services/{KEY}?token={QUERY}");
    let document = format!(
        "version: 1\ntriggers:\n  - name: t\n    match_all: true\n    since: genesis\n    \
         actions:\n      - {{id: hook, type: webhook, url: \"{url}\", secret: \"{SECRET}\"}}\n"
    );
    bed.apply(&document).await;
    testbed::Row::new("one").insert(&bed.pool).await.expect("inserted");
    let processor = Process::start("event-processor", &bed, &[]);
    let worker = Process::start("action-worker", &bed, &[]);
    let attempts = "SELECT count(*) FROM action_results";
    eventually("it is attempted", async || bed.count(attempts).await > 0).await;
    let job: String = sqlx::query_scalar("SELECT id::text FROM jobs LIMIT 1")
        .fetch_one(&bed.pool)
        .await
        .expect("a job");
    let mut said = [processor.lines(), worker.lines()].concat().join("\n");
    for arguments in [
        &["triggers", "list", "--json"][..],
        &["triggers", "show", "t"],
        &["triggers", "show", "t", "--json"],
        &["destinations", "list"],
        &["destinations", "list", "--json"],
        &["jobs", "show", &job],
        &["jobs", "show", &job, "--json"],
    ] {
        let (shown, code) = agentauri(&bed, folder.path(), arguments).await;
        assert_eq!(code, Some(0), "{shown}");
        said.push_str(&shown);
    }
    assert!(said.contains(&format!("http://{node}/services/0a1B…?token=…")), "{said}");
    assert!(said.contains("cannot serve"), "{said}");
    for secret in [KEY, QUERY, &KEY[..8], &QUERY[12..]] {
        assert!(!said.contains(secret), "{secret}: {said}");
    }
}

async fn agentauri(bed: &Bed, folder: &Path, arguments: &[&str]) -> (String, Option<i32>) {
    let mut command = Process::command("agentauri", bed);
    let output = command.args(arguments).current_dir(folder).output().await.expect("it runs");
    let said = [output.stdout, output.stderr].concat();
    (String::from_utf8_lossy(&said).into_owned(), output.status.code())
}
