//! Chains: which are known, which events may name, and the reset of one. They are everybody's.

pub mod reset;

use std::collections::{BTreeMap, BTreeSet};

use event_engine::event::ChainId;
use event_store::PgPool;
use event_store::chain::known_chains;
use event_store::views::node_heads::{self, SeenHead};
use serde::Serialize;
use service::config::{ConfigError, ContractAddress, Preset, Registry};

pub use event_store::chain::known_chains::KNOWN_MAX;

use crate::{InputProblem, Result};

/// Chains that a refusal names.
const NAMED_MAX: usize = 20;

/// The chains, as they are shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Chains {
    /// The chains that events may name; empty: any.
    pub list: Vec<i64>,
    /// The chains that a writer or an operator vouches for, at most [`KNOWN_MAX`].
    pub known: Vec<i64>,
    /// The heads of the chains' nodes, as their readers saw them last.
    pub heads: Vec<SeenHead>,
}

/// A public chain that is built in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct BuiltIn {
    /// Its name, which a configuration says as `preset`.
    pub name: String,
    /// Its name for people.
    pub title: String,
    /// Its id (EIP-155).
    pub id: i64,
    /// True if its coins are worth nothing.
    pub testnet: bool,
    /// The addresses of its registries, with checksum.
    pub registries: BTreeMap<&'static str, String>,
    /// The first block of a registry, where it is known.
    pub first_block: Option<u64>,
    /// Milliseconds between two blocks, where they are known.
    pub block_time_ms: Option<u64>,
    /// Blocks after which others take one for final, where they are known.
    pub finality_depth: Option<u64>,
    /// The URL of an explorer.
    pub explorer: Option<String>,
}

impl From<Preset> for BuiltIn {
    fn from(preset: Preset) -> Self {
        let address = |(registry, address): (Registry, ContractAddress)| {
            (registry.as_str(), address.checksummed())
        };
        Self {
            first_block: preset.first_block(),
            name: preset.name,
            title: preset.title,
            id: preset.id.0,
            testnet: preset.is_testnet,
            registries: preset.registries.configured().map(address).collect(),
            block_time_ms: preset.block_time_ms,
            finality_depth: preset.finality_depth,
            explorer: preset.explorer,
        }
    }
}

/// The public chains that are built in, mainnets first. No database is asked.
pub fn built_in() -> std::result::Result<Vec<BuiltIn>, ConfigError> {
    Ok(service::config::presets()?.into_iter().map(BuiltIn::from).collect())
}

/// The id of a chain that is named by its id or by its name in the configuration.
pub fn id(configured: &BTreeMap<String, i64>, text: &str) -> Result<i64> {
    if let Ok(id) = text.parse() {
        return Ok(id);
    }
    let id = configured.get(text).copied();
    id.ok_or_else(|| {
        let problem = format!("no chain named {text:?} is configured");
        InputProblem::of_key("chain", problem).into()
    })
}

/// Lists the known chains and the chains that events may name.
pub async fn list(pool: &PgPool) -> Result<Chains> {
    let ids = |chains: Vec<ChainId>| chains.into_iter().map(|id| id.0).collect();
    Ok(Chains {
        list: ids(known_chains::listed(pool).await?),
        known: ids(known_chains::known(pool).await?),
        heads: node_heads::all(pool).await?,
    })
}

/// Adds chains to the list of chains that events may name: an INSERT of another one is refused. A
/// list without one of our own chains is refused, because its events would be refused silently.
pub async fn allow(
    pool: &PgPool,
    configured: &BTreeMap<String, i64>,
    chains: &[i64],
) -> Result<Chains> {
    let listed = known_chains::listed(pool).await?;
    let allowed: Vec<i64> =
        listed.into_iter().map(|id| id.0).chain(chains.iter().copied()).collect();
    let stored = known_chains::left_out(pool, &allowed).await?;
    let mut ours: BTreeSet<i64> = stored.into_iter().map(|id| id.0).collect();
    ours.extend(configured.values().filter(|id| !allowed.contains(id)));
    if !ours.is_empty() {
        return Err(leaves_out(&ours).into());
    }
    known_chains::allow(pool, chains).await?;
    list(pool).await
}

/// Ends the list: events may name any chain.
pub async fn allow_any(pool: &PgPool) -> Result<Chains> {
    known_chains::allow_any(pool).await?;
    list(pool).await
}

fn leaves_out(ours: &BTreeSet<i64>) -> InputProblem {
    let named: Vec<String> = ours.iter().take(NAMED_MAX).map(i64::to_string).collect();
    let named = named.join(" ");
    let more = ours.len().saturating_sub(NAMED_MAX);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    let problem = format!(
        "the list would leave out chains that are configured, indexed or audited, and their events \
         would be refused: {named}{more}"
    );
    InputProblem::of(problem).remedy("name them, too")
}
