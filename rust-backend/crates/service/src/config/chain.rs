//! The chains of the configuration file: `[[chains]]`.

mod placeholders;
mod preset;
mod registries;
mod rpc_url;

use std::num::NonZeroU32;
use std::time::Duration;

use event_engine::event::ChainId;
use event_engine::event::spelling::nearest;

use super::ConfigError;
use super::document::{Source, Table, TomlNode};
use super::environment::Environment;

pub use self::preset::{Preset, presets};
pub use self::registries::{ContractAddress, NotAnAddress, Registries, Registry};
pub use self::rpc_url::RpcUrl;

/// Chains of one file. There are 25 with registries.
const CHAINS_MAX: usize = 256;
/// URLs of one chain.
const RPC_URLS_MAX: usize = 16;
/// Bytes of a name.
const NAME_BYTES_MAX: usize = 64;
/// Milliseconds between two questions to a node: bounds and default.
const POLL_INTERVAL_MS_MIN: i64 = 20;
const POLL_INTERVAL_MS_MAX: i64 = 60_000;
const POLL_INTERVAL_MS: i64 = 1_000;

/// Blocks: four months of Ethereum's, and a day of a chain with ten a second.
const FINALITY_DEPTH_MAX: i64 = 1_000_000;

/// Questions to nodes a second: more than any node answers.
const REQUESTS_PER_SECOND_MAX: i64 = 100_000;

const KEYS: &str = "name id rpc_urls registries start_block poll_interval_ms finality_depth writer \
                    indexed requests_per_second preset";

type Result<T> = std::result::Result<T, ConfigError>;

/// Bytes of an answer: all logs of a block in hex. Log data costs its sender at least 24 gas a byte
/// (calldata and log), so this is a block of 800 million gas that holds nothing but our registries'
/// events. It bounds each block that is fetched ahead; a longer answer is asked for in parts.
pub const ANSWER_BYTES_MAX: usize = 64 << 20;

/// Settings of a chain, checked as the file is read: a program reads it, or leaves it to another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChainSettings {
    /// Its name for triggers and people: 1 to 64 ASCII letters, digits, `-`, `_` or `.`, and not
    /// digits alone. Unique.
    pub name: String,
    /// Its id (EIP-155), from 1. Unique. Each of its nodes is asked whether it agrees.
    pub id: ChainId,
    /// JSON-RPC over http, https, ws or wss, 1 to 16. The first is asked that has not failed
    /// lately; those by websocket also announce heads.
    pub rpc_urls: Vec<RpcUrl>,
    /// The registries whose logs are stored.
    pub registries: Registries,
    /// The first block that is read. Without meaning once a block of the chain is stored.
    pub start_block: StartBlock,
    /// Between two questions for the head: 20 ms to 60 s.
    pub poll_interval: Duration,
    /// Blocks below the highest stored one from which a block is final, 0 to 1,000,000: no
    /// reorg is followed below it. `None`: the nodes' `finalized` block is.
    pub finality_depth: Option<u64>,
    /// The program that writes its checkpoint and invalidates its events.
    pub writer: ChainWriter,
    /// True if our own indexer reads it. Where it is not the chain's writer, it only inserts.
    pub indexed: bool,
    /// Questions a second to all nodes together, each of a batch counted: 1 to 100,000. `None`: no
    /// limit.
    pub requests_per_second: Option<NonZeroU32>,
    /// Bytes of an answer that are read: [`ANSWER_BYTES_MAX`], or fewer in a test. The file does
    /// not say it.
    pub answer_bytes_max: usize,
}

/// The first block that is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StartBlock {
    /// This one.
    At(u64),
    /// The first with a registry's contract, which the nodes are asked for.
    Unknown {
        /// A time, unix seconds, before which no registry was there, if one is known.
        deployed_after: Option<u64>,
    },
}

/// The one program that writes a chain's checkpoint and invalidates its events. Others may insert.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ChainWriter {
    /// Our own indexer.
    #[default]
    ChainIndexer,
    /// Ponder, as `ponder-indexers/` sets it up.
    Ponder,
    /// Our auditor, for writers that do nothing but insert.
    Auditor,
}

impl ChainWriter {
    /// Each by its name in the file.
    const NAMES: [(&'static str, Self); 3] = [
        ("chain-indexer", Self::ChainIndexer),
        ("ponder", Self::Ponder),
        ("auditor", Self::Auditor),
    ];
}

/// Reads all chains of a file.
pub(super) fn read(source: Source<'_>, environment: &Environment) -> Result<Vec<ChainSettings>> {
    let parsed = source.parse()?;
    let top = Table::top(source, &parsed);
    top.only(&["chains"])?;
    let Some(list) = top.get("chains") else { return Ok(Vec::new()) };
    if list.is_table() {
        return list.refuse("is one table, and has to be a list of them: write [[chains]]");
    }
    let mut chains: Vec<ChainSettings> = Vec::new();
    for node in list.list(CHAINS_MAX)? {
        let table = node.table()?;
        let chain = chain(&table, environment)?;
        // The key that says it.
        let key = |key| table.get(key).map_or_else(|| table.require("preset"), Ok);
        if chains.iter().any(|other| other.name == chain.name) {
            return key("name")?.refuse(format!("{:?} is there twice", chain.name));
        }
        if let Some(other) = chains.iter().find(|other| other.id == chain.id) {
            let reason = format!("{} is the id of {:?} already", chain.id, other.name);
            return key("id")?.refuse(reason);
        }
        chains.push(chain);
    }
    Ok(chains)
}

fn chain(table: &Table<'_>, environment: &Environment) -> Result<ChainSettings> {
    table.renamed("owner", "writer")?;
    if let Some(headers) = table.get("headers") {
        return headers.refuse(
            "belongs to one URL: write \
             rpc_urls = [{ url = \"https://…\", headers = { name = \"value\" } }]",
        );
    }
    table.only(&KEYS.split_whitespace().collect::<Vec<_>>())?;
    let preset = table.get("preset").map(|node| preset(&node)).transpose()?;
    let preset = preset.as_ref();
    let integer = |name, min, max, default| {
        table.get(name).map_or(Ok(default), |node| node.integer(min, max))
    };
    let poll_interval_ms =
        integer("poll_interval_ms", POLL_INTERVAL_MS_MIN, POLL_INTERVAL_MS_MAX, POLL_INTERVAL_MS)?;
    let finality_depth =
        table.get("finality_depth").map(|node| node.integer(0, FINALITY_DEPTH_MAX)).transpose()?;
    let writer = table.get("writer").map_or(Ok(ChainWriter::default()), |node| writer(&node))?;
    let requests_per_second =
        integer("requests_per_second", 0, REQUESTS_PER_SECOND_MAX, 0)?.unsigned_abs();
    let id = |node: &TomlNode<'_>| node.integer(1, i64::MAX).map(ChainId);
    let name = own(table, "name", name, preset.map(|preset| preset.name.clone()))?;
    let id = own(table, "id", id, preset.map(|preset| preset.id))?;
    let rpc_urls = rpc_urls(&table.require("rpc_urls")?, environment)?;
    let registries = own(table, "registries", registries, preset.map(|preset| preset.registries))?;
    Ok(ChainSettings {
        name,
        id,
        rpc_urls,
        registries,
        start_block: start_block(table, preset.filter(|preset| preset.id == id), &registries)?,
        poll_interval: Duration::from_millis(poll_interval_ms.unsigned_abs()),
        finality_depth: finality_depth.map(i64::unsigned_abs),
        writer,
        indexed: indexed(table, writer)?,
        requests_per_second: u32::try_from(requests_per_second).ok().and_then(NonZeroU32::new),
        answer_bytes_max: ANSWER_BYTES_MAX,
    })
}

/// A value of the table, or else of the preset.
fn own<'a, T>(
    table: &Table<'a>,
    key: &str,
    read: impl FnOnce(&TomlNode<'a>) -> Result<T>,
    of_preset: Option<T>,
) -> Result<T> {
    match of_preset {
        Some(value) if table.get(key).is_none() => Ok(value),
        _ => read(&table.require(key)?),
    }
}

fn preset(node: &TomlNode<'_>) -> Result<Preset> {
    let (name, all) = (node.text()?, presets()?);
    if let Some(preset) = all.iter().find(|preset| preset.name == name) {
        return Ok(preset.clone());
    }
    let names = all.iter().map(|preset| preset.name.as_str());
    let meant = nearest(name, names);
    let meant = meant.map_or_else(String::new, |meant| format!(" did you mean {meant:?}?"));
    node.refuse(format!(
        "is no chain that is built in;{meant} `agentauri chains list` names them all"
    ))
}

fn start_block(
    table: &Table<'_>,
    preset: Option<&Preset>,
    registries: &Registries,
) -> Result<StartBlock> {
    match (table.get("start_block"), preset) {
        (Some(node), _) => Ok(StartBlock::At(node.integer(0, i64::MAX)?.unsigned_abs())),
        (None, Some(preset)) => Ok(preset.start_block(registries)),
        (None, None) => Ok(StartBlock::At(0)),
    }
}

fn writer(node: &TomlNode<'_>) -> Result<ChainWriter> {
    let text = node.text()?;
    let named = ChainWriter::NAMES.into_iter().find(|(name, _)| *name == text);
    match named {
        Some((_, writer)) => Ok(writer),
        None => node.refuse("has to be chain-indexer, ponder or auditor"),
    }
}

/// Reads `indexed`: if left out, our indexer reads the chains whose writer it is.
fn indexed(table: &Table<'_>, writer: ChainWriter) -> Result<bool> {
    let has_to = writer == ChainWriter::ChainIndexer;
    let Some(node) = table.get("indexed") else { return Ok(has_to) };
    let indexed = node.boolean()?;
    if has_to && !indexed {
        return node.refuse("is false, but the writer is chain-indexer, which has to read it");
    }
    Ok(indexed)
}

fn name(node: &TomlNode<'_>) -> Result<String> {
    let name = node.text()?;
    let right = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    if name.is_empty() || name.len() > NAME_BYTES_MAX || !name.bytes().all(right) {
        return node.refuse("has to be 1 to 64 ASCII letters, digits, -, _ or .");
    }
    if name.bytes().all(|byte| byte.is_ascii_digit()) {
        return node.refuse("is a number: triggers would take it for a chain's id");
    }
    Ok(name.to_owned())
}

fn rpc_urls(node: &TomlNode<'_>, environment: &Environment) -> Result<Vec<RpcUrl>> {
    let list = node.list(RPC_URLS_MAX)?;
    if list.is_empty() {
        return node.refuse("is empty, and has to have a URL");
    }
    let mut urls: Vec<RpcUrl> = Vec::new();
    for node in list {
        let url = rpc_url::read(&node, environment)?;
        // Two keys of one provider may be two headers.
        let same = |other: &RpcUrl| {
            let is_known = url.unset().is_none() && other.unset().is_none();
            is_known && (other.expose(), other.headers()) == (url.expose(), url.headers())
        };
        if let Some(index) = urls.iter().position(same) {
            return node.refuse(format!("is the same as rpc_urls[{index}]: leave one of them"));
        }
        urls.push(url);
    }
    Ok(urls)
}

fn registries(node: &TomlNode<'_>) -> Result<Registries> {
    let table = node.table()?;
    table.only(&Registry::ALL.map(Registry::as_str))?;
    let mut addresses: Vec<ContractAddress> = Vec::new();
    let mut read = |registry: Registry| {
        let Some(node) = table.get(registry.as_str()) else { return Ok(None) };
        let address: ContractAddress =
            node.text()?.parse().or_else(|error: NotAnAddress| node.refuse(error.to_string()))?;
        if addresses.contains(&address) {
            return node.refuse("is the address of another registry of this chain");
        }
        addresses.push(address);
        Ok(Some(address))
    };
    let registries = Registries {
        identity: read(Registry::Identity)?,
        reputation: read(Registry::Reputation)?,
        validation: read(Registry::Validation)?,
    };
    if addresses.is_empty() {
        return table.refuse("is empty, and has to have identity, reputation or validation");
    }
    Ok(registries)
}
