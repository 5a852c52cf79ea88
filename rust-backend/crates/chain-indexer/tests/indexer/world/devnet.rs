//! A private anvil with the three registries and seeded traffic.

use std::path::PathBuf;
use std::time::{Duration, UNIX_EPOCH};

use chain_indexer::Registries;
use private_servers::{Anvil, AnvilOptions, PrivateDirectory};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio::process::Command;

use testbed::{NodeClient, quantity};

const REGISTRIES: [&str; 3] = ["identity", "reputation", "validation"];
/// An independent decoder.
const DECODE_WITH_VIEM: &str = include_str!("decode_with_viem.mjs");

pub(crate) struct Devnet {
    pub(crate) node: NodeClient,
    pub(crate) url: String,
    deployment: Value,
    _anvil: Anvil,
}

impl Devnet {
    /// A node with the registries deployed, and nothing more.
    pub(crate) async fn start() -> Self {
        let mut options = AnvilOptions::new(PrivateDirectory::temporary().expect("a directory"));
        // Behind the clock: a test may mine many blocks, each a second after the one before.
        options.timestamp = UNIX_EPOCH.elapsed().ok().map(|now| now.as_secs() - 86_400);
        options.arguments = ["--gas-limit", "1000000000"].map(str::to_owned).to_vec();
        let anvil = Anvil::start(options).expect("a private anvil");
        let url = anvil.rpc_url();
        let deployment = script(&["src/deploy.ts", "--rpc", &url]).await;
        Self { node: NodeClient::new(&url), url, deployment, _anvil: anvil }
    }

    /// Sends traffic of `events` logs at least, `batch` transactions a block.
    pub(crate) async fn traffic(&self, seed: u32, events: u32, batch: u32) {
        let mut arguments = vec!["src/traffic.ts".to_owned(), "--rpc".to_owned(), self.url.clone()];
        for registry in REGISTRIES {
            arguments.extend([format!("--{registry}"), self.address(registry).to_owned()]);
        }
        for (option, value) in [("--seed", seed), ("--events", events), ("--batch", batch)] {
            arguments.extend([option.to_owned(), value.to_string()]);
        }
        script(&arguments.iter().map(String::as_str).collect::<Vec<_>>()).await;
    }

    pub(crate) fn registries(&self) -> Registries {
        let [identity, reputation, validation] =
            REGISTRIES.map(|registry| Some(self.address(registry).parse().expect("an address")));
        Registries { identity, reputation, validation }
    }

    fn address(&self, registry: &str) -> &str {
        self.deployment[registry].as_str().expect("an address")
    }

    /// The block in which the registries were deployed.
    pub(crate) fn start_block(&self) -> u64 {
        self.deployment["startBlock"].as_u64().expect("a number")
    }

    /// Every log of the registries, as the node has it.
    pub(crate) async fn logs(&self) -> Vec<Value> {
        let filter = json!([{
            "address": REGISTRIES.map(|registry| self.address(registry)),
            "fromBlock": "earliest",
            "toBlock": "latest",
        }]);
        let logs = self.node.ask("eth_getLogs", filter).await;
        logs.as_array().expect("a list").clone()
    }

    /// The registry whose address the log bears.
    pub(crate) fn registry_of(&self, log: &Value) -> &'static str {
        let address = log["address"].as_str().expect("an address").to_lowercase();
        REGISTRIES
            .into_iter()
            .find(|registry| self.address(registry).to_lowercase() == address)
            .expect("one of ours")
    }

    /// Name and arguments of each log as viem reads them with the contracts' own ABI; null where
    /// it does not.
    pub(crate) async fn decode_with_viem(&self, logs: &[Value]) -> Vec<Value> {
        let logs: Vec<Value> = logs
            .iter()
            .map(|log| {
                let registry = self.registry_of(log);
                json!({"registry": registry, "topics": log["topics"], "data": log["data"]})
            })
            .collect();
        let mut command = Command::new("node");
        command.args(["--input-type=module", "--eval", DECODE_WITH_VIEM]);
        let decoded = output(command, &Value::Array(logs).to_string()).await;
        decoded.as_array().expect("a list").clone()
    }

    /// Mines `count` blocks without transactions.
    pub(crate) async fn mine(&self, count: u64) {
        self.node.ask("anvil_mine", json!([format!("{count:#x}"), "0x1"])).await;
    }

    /// Replaces the highest `depth` blocks by empty ones.
    pub(crate) async fn reorganise(&self, depth: u64) {
        self.node.ask("anvil_reorg", json!([depth, []])).await;
    }

    /// Forgets the highest `count` blocks.
    pub(crate) async fn roll_back(&self, count: u64) {
        self.node.ask("anvil_rollback", json!([count])).await;
    }

    pub(crate) async fn timestamp_of(&self, block: u64) -> u64 {
        quantity(&self.node.block(block).await["timestamp"])
    }
}

/// Runs one of the devnet's scripts and reads the line it prints.
async fn script(arguments: &[&str]) -> Value {
    let mut command = Command::new(folder().join("node_modules/.bin/tsx"));
    command.args(arguments);
    output(command, "").await
}

async fn output(mut command: Command, input: &str) -> Value {
    let folder = folder();
    assert!(
        folder.join("node_modules/.bin/tsx").exists(),
        "devnet/node_modules is missing: run scripts/run-tests.sh, which installs it"
    );
    let piped = std::process::Stdio::piped;
    command.current_dir(folder).stdin(piped()).stdout(piped()).kill_on_drop(true);
    let mut child = command.spawn().expect("a program of the devnet");
    let mut stdin = child.stdin.take().expect("its input");
    let output = async {
        stdin.write_all(input.as_bytes()).await.expect("its input");
        drop(stdin);
        child.wait_with_output().await
    };
    let output = tokio::time::timeout(Duration::from_mins(3), output).await;
    let output = output.expect("an end in time").expect("its output");
    assert!(output.status.success(), "{}", output.status);
    serde_json::from_slice(&output.stdout).expect("a line of JSON")
}

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../devnet")
}
