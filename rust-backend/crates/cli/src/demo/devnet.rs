//! The private chain: a node, the registries, the traffic.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use event_engine::event::ChainId;
use private_servers::{Anvil, AnvilOptions, PrivateDirectory};
use serde::Deserialize;
use serde_json::{Value, json};
use service::config::{
    ANSWER_BYTES_MAX, ChainSettings, ChainWriter, Registries, RpcUrl, StartBlock,
};
use tokio::process::Command;
use url::Url;

use crate::demo::DemoArgs;

/// A block a second, as on a fast chain.
const BLOCK_TIME: Duration = Duration::from_secs(1);
const CHAIN_ID: i64 = 31_337;
/// Between two questions of the demo's indexer for a new block.
const POLL: Duration = Duration::from_millis(20);
/// Compiling and deploying the contracts on a busy machine.
const DEPLOY_MAX: Duration = Duration::from_mins(3);

/// The output of the deployment.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Deployment {
    identity: String,
    reputation: String,
    validation: String,
    start_block: u64,
}

/// A node with the registries on it. Dropping it ends the node.
pub(super) struct Devnet {
    anvil: Anvil,
    folder: PathBuf,
    deployment: Deployment,
}

impl Devnet {
    pub(super) async fn start(directory: &PrivateDirectory, folder: Option<&Path>) -> Result<Self> {
        let folder = match folder {
            Some(folder) => folder.to_owned(),
            None => find_folder()?,
        };
        if !folder.join("node_modules").exists() {
            bail!(
                "{} has no node_modules: scripts/demo.sh installs them, or `npm ci` there",
                folder.display()
            );
        }
        let options = AnvilOptions {
            program: Some(program(&folder)),
            block_time: Some(BLOCK_TIME),
            arguments: ["--gas-limit", "1000000000", "--prune-history", "64"]
                .map(str::to_owned)
                .to_vec(),
            ..AnvilOptions::new(directory.clone())
        };
        let anvil = Anvil::start(options)?;
        let rpc_url = anvil.rpc_url();
        let arguments = ["--rpc", &rpc_url];
        let deploy = script(&folder, "src/deploy.ts", &arguments);
        let said = tokio::time::timeout(DEPLOY_MAX, deploy)
            .await
            .context("deploying the contracts took too long")??;
        let deployment =
            serde_json::from_str(&said).with_context(|| format!("the deployment said {said:?}"))?;
        Ok(Self { anvil, folder, deployment })
    }

    /// The chain as a configuration would name it.
    pub(super) fn chain(&self) -> Result<ChainSettings> {
        let Deployment { identity, reputation, validation, start_block } = self.deployment.clone();
        let registry = |address: &str| address.parse().map(Some).context(address.to_owned());
        Ok(ChainSettings {
            name: "devnet".to_owned(),
            id: ChainId(CHAIN_ID),
            // Heads are announced, where a poll would find each a while later.
            rpc_urls: vec![RpcUrl::parse(&self.anvil.ws_url()).expect("a URL")],
            registries: Registries {
                identity: registry(&identity)?,
                reputation: registry(&reputation)?,
                validation: registry(&validation)?,
            },
            start_block: StartBlock::At(start_block),
            finality_depth: None,
            writer: ChainWriter::ChainIndexer,
            indexed: true,
            poll_interval: POLL,
            requests_per_second: None,
            answer_bytes_max: ANSWER_BYTES_MAX,
        })
    }

    /// Makes traffic, and ends when all of it is mined. Gives the number of logs that it made.
    pub(super) async fn traffic(&self, options: &DemoArgs, seed: u64) -> Result<u64> {
        #[derive(Deserialize)]
        struct Totals {
            logs: u64,
        }
        let Deployment { identity, reputation, validation, .. } = &self.deployment;
        let (rpc_url, seed) = (self.anvil.rpc_url(), seed.to_string());
        let (events, rate) = (options.events.to_string(), options.rate.to_string());
        let arguments = [
            ["--rpc", &rpc_url],
            ["--identity", identity],
            ["--reputation", reputation],
            ["--validation", validation],
            ["--seed", &seed],
            ["--events", &events],
            ["--rate", &rate],
        ];
        let said = script(&self.folder, "src/traffic.ts", arguments.as_flattened()).await?;
        let totals: Totals =
            serde_json::from_str(&said).with_context(|| format!("the traffic said {said:?}"))?;
        Ok(totals.logs)
    }

    /// The ids of all logs of the registries, as the node lists them.
    pub(super) async fn logs(&self) -> Result<Vec<String>> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Log {
            block_hash: String,
            log_index: String,
        }
        let Deployment { identity, reputation, validation, start_block } = &self.deployment;
        let filter = json!({
            "fromBlock": format!("{start_block:#x}"),
            "toBlock": "latest",
            "address": [identity, reputation, validation],
        });
        let answer = call(&self.url(), "eth_getLogs", json!([filter])).await?;
        let logs: Vec<Log> = serde_json::from_value(answer)?;
        logs.into_iter()
            .map(|log| {
                let index = u64::from_str_radix(log.log_index.trim_start_matches("0x"), 16)?;
                Ok(format!("{CHAIN_ID}-{}-{index}", log.block_hash))
            })
            .collect()
    }

    /// The node's URL by HTTP.
    pub(super) fn url(&self) -> Url {
        Url::parse(&self.anvil.rpc_url()).expect("a URL")
    }
}

/// One JSON-RPC call.
pub(super) async fn call(url: &Url, method: &str, parameters: Value) -> Result<Value> {
    let request = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": parameters});
    let client = service::http::client_builder().build()?;
    let mut answer: Value =
        client.post(url.clone()).json(&request).send().await?.error_for_status()?.json().await?;
    if let Some(error) = answer.get("error") {
        bail!("{method}: {error}");
    }
    Ok(answer["result"].take())
}

/// Runs a script of the folder, and returns its standard output.
async fn script(folder: &Path, file: &str, arguments: &[&str]) -> Result<String> {
    let run = Command::new("node")
        .args(["--import", "tsx", file])
        .args(arguments)
        .current_dir(folder)
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output();
    let output = run.await.with_context(|| format!("node {file}"))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        let end = said.len().saturating_sub(2_000);
        bail!("{file} failed ({}): {}", output.status, said.get(end..).unwrap_or(&said));
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// The native node, not the package's launcher: a process that can be ended by its id.
fn program(folder: &Path) -> PathBuf {
    let architecture = if cfg!(target_arch = "aarch64") { "arm64" } else { "amd64" };
    folder.join(format!("node_modules/@foundry-rs/anvil-linux-{architecture}/bin/anvil"))
}

/// `devnet/` in the working directory or above it.
fn find_folder() -> Result<PathBuf> {
    let here = std::env::current_dir().context("the working directory")?;
    here.ancestors()
        .map(|folder| folder.join("devnet"))
        .find(|folder| folder.join("package.json").exists())
        .context("no devnet/ here or above; name it with --devnet")
}
