//! The indexer as a process: what it refuses at start, and how.

use std::process::Output;

use private_servers::PrivateDirectory;
use tokio::process::Command;

use crate::world::ScriptedNode;

/// Runs the process over a file with one chain until it ends.
async fn run(rpc_url: &str, id: u64) -> Output {
    let directory = PrivateDirectory::temporary().expect("a directory");
    let file = directory.path().join("chains.toml");
    let text = format!(
        "[[chains]]\nname = \"trial\"\nid = {id}\nrpc_urls = [\"{rpc_url}\"]\n\
         registries = {{ identity = \"0x8004a818bfb912233c491871b3d84c89a494bd9e\" }}\n"
    );
    std::fs::write(&file, text).expect("a file");
    Command::new(env!("CARGO_BIN_EXE_chain-indexer"))
        .env_clear()
        .env("AGENTAURI_CONFIG", file)
        .env("AGENTAURI_LISTEN", "off")
        // Nobody listens here; it does not come to that.
        .env("DATABASE_URL", "postgres://nobody@127.0.0.1:9/none")
        .kill_on_drop(true)
        .output()
        .await
        .expect("a process")
}

fn assert_refused(output: &Output, parts: &[&str]) {
    let text = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{text}");
    for part in parts {
        assert!(text.contains(part), "{text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_cannot_be_reached_is_refused_at_start() {
    let output = run("http://127.0.0.1:9/a-key", 31_337).await;
    assert_refused(&output, &["\"trial\"", "rpc_urls[0]", "127.0.0.1:9"]);
    assert!(!String::from_utf8_lossy(&output.stderr).contains("a-key"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_of_another_chain_is_refused_at_start() {
    let node = ScriptedNode::start(1).await;
    assert_refused(&run(&node.url, 1).await, &["\"trial\"", "rpc_urls[0]", "chain id 31337"]);
}
