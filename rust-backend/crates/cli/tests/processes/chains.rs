//! The chains that are built in, and what `doctor` says of a chain's nodes and registries.

use std::path::Path;

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use testbed::{Bed, HttpReceiver, Process, Received};

#[tokio::test(flavor = "multi_thread")]
async fn the_chains_that_are_built_in_are_listed_without_a_database() {
    let bed = Bed::start().await;
    let folder = tempfile::tempdir().expect("a folder");
    let said = list(&bed, folder.path(), false, &[]).await;
    let row = |name: &str| {
        let line = said.lines().find(|line| line.split_whitespace().next() == Some(name));
        line.expect(name).split_whitespace().collect::<Vec<_>>().join(" ")
    };
    assert_eq!(row("base"), "base 8453 mainnet 41663799 2000 ms - https://basescan.org");
    assert_eq!(
        row("ethereum"),
        "ethereum 1 mainnet 24339924 12000 ms 65 blocks https://etherscan.io"
    );
    assert_eq!(
        row("hedera-testnet"),
        "hedera-testnet 296 testnet - - - https://hashscan.io/testnet"
    );
    for sentence in [
        "The identity registry of mainnets: 0x8004A169FB4a3325136EB29fA0ceB6D2e539a432",
        "The reputation registry of testnets: 0x8004B663056A597Dffe9eCcC1965A193B7388713",
        "No database is configured (DATABASE_URL)",
    ] {
        assert!(said.contains(sentence), "{said}");
    }
    let listed = list(&bed, folder.path(), false, &["--json"]).await;
    let listed: Value = serde_json::from_str(&listed).expect("JSON");
    assert_eq!(listed.as_object().expect("an object").keys().collect::<Vec<_>>(), ["built_in"]);
    let built_in = listed["built_in"].as_array().expect("a list");
    assert_eq!(built_in.len(), 50);
    let base = built_in.iter().find(|chain| chain["name"] == "base").expect("base");
    let registries = json!({
        "identity": "0x8004A169FB4a3325136EB29fA0ceB6D2e539a432",
        "reputation": "0x8004BAa17C55a88189AE136b182e5fdA19dE9b63",
    });
    let expected = json!({
        "name": "base", "title": "Base", "id": 8453, "testnet": false, "registries": registries,
        "first_block": 41_663_799, "block_time_ms": 2_000, "finality_depth": null,
        "explorer": "https://basescan.org",
    });
    assert_eq!(*base, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn with_a_database_the_list_shows_what_is_stored_of_chains() {
    let bed = Bed::start().await;
    let folder = tempfile::tempdir().expect("a folder");
    let said = list(&bed, folder.path(), true, &[]).await;
    assert!(said.contains("basescan.org") && said.contains("Events may name any chain."), "{said}");
    let listed = list(&bed, folder.path(), true, &["--json"]).await;
    let listed: Value = serde_json::from_str(&listed).expect("JSON");
    assert_eq!((&listed["list"], &listed["known"]), (&json!([]), &json!([])));
}

#[tokio::test(flavor = "multi_thread")]
async fn doctor_names_missing_contracts_and_nodes_that_moved() {
    let bed = Bed::start().await;
    let folder = tempfile::tempdir().expect("a folder");
    let node = HttpReceiver::start(answer).await;
    let address = node.address;
    let file = format!(
        "[[chains]]\npreset = \"base\"\n\
         rpc_urls = [\"http://{address}/\", \"http://{address}/moved\"]\n"
    );
    std::fs::write(folder.path().join("agentauri.toml"), file).expect("written");
    let mut command = Process::command("agentauri", &bed);
    let output = command.arg("doctor").current_dir(folder.path()).output().await.expect("it runs");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "these are warnings: {said}");
    for sentence in [
        "registries.identity: there is no contract at 0x8004A169FB4a3325136EB29fA0ceB6D2e539a432",
        "HTTP 308: it redirects, and redirects are not followed; write in rpc_urls: \
         https://moved.example/",
    ] {
        assert!(said.contains(sentence), "{said}");
    }
}

/// A node of Base at its first block, without any contract.
async fn answer(request: Received) -> Response {
    if request.uri.path() == "/moved" {
        let place = [("location", "https://moved.example/")];
        return (StatusCode::PERMANENT_REDIRECT, place).into_response();
    }
    let question: Value = serde_json::from_slice(&request.body).expect("JSON");
    let hash = format!("0x{:064x}", 7);
    let result = match question["method"].as_str() {
        Some("eth_chainId") => json!("0x2105"),
        Some("eth_getCode") => json!("0x"),
        _ => json!({"number": "0x1", "hash": hash, "parentHash": hash, "timestamp": "0x68e7c800"}),
    };
    Json(json!({"jsonrpc": "2.0", "id": question["id"], "result": result})).into_response()
}

async fn list(bed: &Bed, folder: &Path, with_database: bool, more: &[&str]) -> String {
    let mut command = Process::command("agentauri", bed);
    if !with_database {
        command.env_remove("DATABASE_URL").env_remove("REDIS_URL");
    }
    let arguments = [&["chains", "list"], more].concat();
    let output = command.args(arguments).current_dir(folder).output().await.expect("it runs");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    String::from_utf8(output.stdout).expect("text")
}
