//! A private anvil that mines on request, with a contract that emits its input as events of the
//! identity registry.

use std::fmt::Write as _;
use std::time::UNIX_EPOCH;

use anyhow::{Context as _, Result};
use private_servers::{Anvil, AnvilOptions, PrivateDirectory};
use serde_json::{Value, json};
use testbed::{NodeClient, quantity};

use crate::counterparts::canned_node::REGISTRY;
use crate::round::Round;

/// Bytecode that emits a `MetadataUpdate(uint256)` for each word of its input.
const EMITTER: &str = "0x60005b80361115603b578035600052\
     7ff8e1a15aba9398e019f0b49df1a4fde98ee17ae345cb5f6b5e2c27f5033e8ce7\
     60206000a16020016002565b00";
/// Gas of a call: about 1,700 per event.
const GAS: &str = "0x7a1200";
/// Its name in agentauri.toml.
pub(crate) const NAME: &str = "anvil";
const PONDER_URLS: u32 = 4;
/// Seconds by which its clock begins behind ours: many blocks are mined, each a second after the
/// last.
const BEHIND_SECONDS: u64 = 86_400;

/// A running chain. Dropping it ends it.
pub(crate) struct AnvilChain {
    url: String,
    node: NodeClient,
    sender: Value,
    _anvil: Anvil,
}

impl AnvilChain {
    pub(crate) async fn start(round: &Round<'_>) -> Result<Self> {
        let started = round.plan.starts.spawn_blocking(|| {
            let mut options = AnvilOptions::new(PrivateDirectory::temporary()?);
            options.arguments = vec!["--no-mining".to_owned()];
            let now = UNIX_EPOCH.elapsed().unwrap_or_default().as_secs();
            options.timestamp = Some(now.saturating_sub(BEHIND_SECONDS));
            Anvil::start(options)
        });
        let anvil = started.await.context("starting anvil")?.context(
            "anvil, which `npm ci` in devnet/ installs; the bench looks for it from here upwards",
        )?;
        let url = anvil.rpc_url();
        let mut chain =
            Self { node: NodeClient::new(&url), url, sender: Value::Null, _anvil: anvil };
        chain.sender = chain.node.try_ask("eth_accounts", json!([])).await?[0].clone();
        chain.node.try_ask("anvil_setCode", json!([REGISTRY, EMITTER])).await?;
        chain.mine().await?;
        Ok(chain)
    }

    /// Its table in agentauri.toml: its writer, URLs and first block.
    pub(crate) fn table(writer: &str, urls: &[String], poll_ms: u32, start_block: u64) -> String {
        format!(
            "[[chains]]\nname = \"{NAME}\"\nid = 31337\nwriter = \"{writer}\"\n\
             rpc_urls = {urls:?}\npoll_interval_ms = {poll_ms}\nstart_block = {start_block}\n\
             registries = {{ identity = \"{REGISTRY}\" }}\n"
        )
    }

    pub(crate) fn http(&self) -> String {
        self.url.clone()
    }

    /// Several URLs of this one node: Ponder's limit is 20 requests a second to each URL at first,
    /// and must not bound the measurement.
    pub(crate) fn urls_for_ponder(&self) -> Vec<String> {
        (0..PONDER_URLS).map(|number| format!("{}?{number}", self.url)).collect()
    }

    pub(crate) fn websocket(&self) -> String {
        self.url.replacen("http", "ws", 1)
    }

    /// Makes the registry emit these numbers in the next block.
    pub(crate) async fn send(&self, numbers: impl IntoIterator<Item = u64>) -> Result<()> {
        let mut data = "0x".to_owned();
        for number in numbers {
            let _ = write!(data, "{number:064x}");
        }
        let call = json!({"from": self.sender, "to": REGISTRY, "data": data, "gas": GAS});
        self.node.try_ask("eth_sendTransaction", json!([call])).await.map(drop)
    }

    pub(crate) async fn mine(&self) -> Result<()> {
        self.node.try_ask("evm_mine", json!([])).await.map(drop)
    }

    pub(crate) async fn head(&self) -> Result<u64> {
        Ok(quantity(&self.node.try_ask("eth_blockNumber", json!([])).await?))
    }
}
