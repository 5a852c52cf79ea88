//! The public chains with registries of ERC-8004, as `chains.toml` of this crate has them.

use event_engine::event::ChainId;

use super::registries::{ContractAddress, Registries, Registry};
use super::{FINALITY_DEPTH_MAX, Result, StartBlock, name, registries};
use crate::config::document::{Source, Table, TomlNode};

const BUILT_IN: Source<'static> =
    Source { file: "chains.toml (built in)", text: include_str!("../../../chains.toml") };

/// Chains of the file.
const PRESETS_MAX: usize = 256;
/// Milliseconds: Ethereum's blocks are the slowest.
const BLOCK_TIME_MS_MAX: i64 = 60_000;

/// A public chain that is built in, as far as it is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Preset {
    /// Its name in the configuration, and the chain's unless it has one of its own.
    pub name: String,
    /// Its name for people.
    pub title: String,
    /// Its id (EIP-155).
    pub id: ChainId,
    /// True if its coins are worth nothing.
    pub is_testnet: bool,
    /// Its registries.
    pub registries: Registries,
    /// Milliseconds between two blocks.
    pub block_time_ms: Option<u64>,
    /// Blocks until one is taken for final by indexers that do not ask the nodes.
    pub finality_depth: Option<u64>,
    /// An explorer's URL.
    pub explorer: Option<String>,
    /// Addresses where a registry is to be, and is on no chain yet.
    reserved: Registries,
    /// The first blocks of registries.
    first_blocks: Vec<(ContractAddress, u64)>,
    /// A time, unix seconds, before which no registry was there.
    deployed_after: u64,
}

impl Preset {
    /// The first block of any of its registries.
    pub fn first_block(&self) -> Option<u64> {
        match self.start_block(&self.registries) {
            StartBlock::At(block) => Some(block),
            StartBlock::Unknown { .. } => None,
        }
    }

    /// The block from which these registries are read.
    pub(super) fn start_block(&self, registries: &Registries) -> StartBlock {
        let is_first = |address| {
            let mut known = self.first_blocks.iter();
            known.find(|(known, _)| *known == address).map(|(_, block)| *block)
        };
        let is_reserved = |address| self.reserved.configured().any(|(_, it)| it == address);
        let deployed = registries.configured().filter(|(_, address)| !is_reserved(*address));
        let blocks: Option<Vec<u64>> = deployed.map(|(_, address)| is_first(address)).collect();
        if let Some(first) = blocks.and_then(|blocks| blocks.into_iter().min()) {
            return StartBlock::At(first);
        }
        let is_ours = |address| {
            is_reserved(address) || self.registries.configured().any(|(_, ours)| ours == address)
        };
        let all_are_ours = registries.configured().all(|(_, address)| is_ours(address));
        StartBlock::Unknown { deployed_after: all_are_ours.then_some(self.deployed_after) }
    }
}

/// All chains that are built in: mainnets first.
///
/// # Errors
/// The file that is built in has a mistake, which a test rules out.
pub fn presets() -> Result<Vec<Preset>> {
    let parsed = BUILT_IN.parse()?;
    let top = Table::top(BUILT_IN, &parsed);
    top.only(&["deployed_after", "registries", "reserved", "chains"])?;
    let deployed_after = top.require("deployed_after")?.integer(1, i64::MAX)?.unsigned_abs();
    let networks = top.require("registries")?.table()?;
    networks.only(&["mainnet", "testnet"])?;
    let reserved = top.require("reserved")?.table()?;
    reserved.only(&["mainnet", "testnet"])?;
    let list = top.require("chains")?.list(PRESETS_MAX)?;
    let read = |node: &TomlNode<'_>| preset(&node.table()?, &networks, &reserved, deployed_after);
    list.iter().map(read).collect()
}

fn preset(
    table: &Table<'_>,
    networks: &Table<'_>,
    reserved: &Table<'_>,
    deployed_after: u64,
) -> Result<Preset> {
    table.only(&[
        "name",
        "title",
        "id",
        "network",
        "first_blocks",
        "block_time_ms",
        "finality_depth",
        "explorer",
    ])?;
    let network = table.require("network")?.text()?;
    let of_network = registries(&networks.require(network)?)?;
    let integer = |key, max| table.get(key).map(|node| node.integer(1, max)).transpose();
    let explorer = table.get("explorer").map(|node| node.text()).transpose()?;
    Ok(Preset {
        name: name(&table.require("name")?)?,
        title: table.require("title")?.text()?.to_owned(),
        id: ChainId(table.require("id")?.integer(1, i64::MAX)?),
        is_testnet: network == "testnet",
        block_time_ms: integer("block_time_ms", BLOCK_TIME_MS_MAX)?.map(i64::unsigned_abs),
        finality_depth: integer("finality_depth", FINALITY_DEPTH_MAX)?.map(i64::unsigned_abs),
        explorer: explorer.map(str::to_owned),
        reserved: registries(&reserved.require(network)?)?,
        first_blocks: first_blocks(table, &of_network)?,
        registries: of_network,
        deployed_after,
    })
}

fn first_blocks(table: &Table<'_>, registries: &Registries) -> Result<Vec<(ContractAddress, u64)>> {
    let Some(node) = table.get("first_blocks") else { return Ok(Vec::new()) };
    let table = node.table()?;
    table.only(&Registry::ALL.map(Registry::as_str))?;
    let mut blocks = Vec::new();
    for (registry, address) in registries.configured() {
        if let Some(node) = table.get(registry.as_str()) {
            blocks.push((address, node.integer(0, i64::MAX)?.unsigned_abs()));
        }
    }
    Ok(blocks)
}
