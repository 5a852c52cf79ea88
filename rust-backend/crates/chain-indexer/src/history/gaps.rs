//! Whether what is stored of a chain is complete: proved from the store alone, and on demand
//! against a node; and mended, if wanted.
//!
//! - No block was left out: `covered_ranges` join, and each stored block's parent is the one below
//!   it (`ancestry`).
//! - The agents have none: the identity registry counts them up from 0.
//! - Against the chain (`difference`, `logs`): each log that a node has of these blocks is a valid
//!   row under its name, equal in every column that the chain knows, and no other row claims to be
//!   one; asked of the second node, where there is one, since the first was believed already.

mod ancestry;
mod difference;
mod logs;

use std::collections::BTreeSet;
use std::ops::{AddAssign, RangeInclusive};

use event_store::chain::chain_heights;
use event_store::chain::chain_readers::Reader;
use event_store::chain::gaps::{self, AgentGap};
use event_store::chain::observed_blocks;
use event_store::{PgPool, StoreError};
use serde::Serialize;

use crate::fetch::block::Block;
use crate::fetch::one_block::fetch;
use crate::rpc::node::Nodes;
use crate::rpc::node_backoff;
use crate::settings::ChainRole as _;
use crate::{ChainSettings, IndexerError, Result};

/// Gaps that a report names.
const GAPS_MAX: usize = 1_000;
/// How often a block is asked for until the check is given up.
const TRIES_MAX: usize = 5;
/// Blocks that are asked for at once.
const BLOCKS_AHEAD_MAX: usize = 16;

/// A check of one chain.
#[derive(Clone, Debug)]
pub struct GapCheck {
    /// Connections to the database; one is used.
    pub pool: PgPool,
    /// The chain.
    pub settings: ChainSettings,
    /// The lowest block; `None`: the start block.
    pub from: Option<u64>,
    /// The highest block; `None`: the highest stored one, against the chain the finalized one.
    pub to: Option<u64>,
    /// Whether every block's logs are compared with a node's.
    pub against_chain: bool,
    /// Whether what is missing is fetched and stored.
    pub mend: bool,
}

/// What a check found.
#[derive(Clone, Debug, Serialize)]
pub struct GapReport {
    /// The operator's name for the chain.
    pub chain: String,
    /// Its id.
    pub chain_id: i64,
    /// The lowest block that was checked.
    pub from: i64,
    /// The highest one.
    pub to: i64,
    /// Whether the blocks were compared with a node's.
    pub against_chain: bool,
    /// Whether nothing is missing or taken back that the chain has, and nothing claims to be of it
    /// that is not.
    pub complete: bool,
    /// What is missing, 1,000 entries at most.
    pub gaps: Vec<Gap>,
    /// Events that the chain has and that were taken back: by hand, or by their writer's mistake.
    /// They are stored, and left as they are.
    pub taken_back: u64,
    /// Valid events that say something else than their logs, 1,000 at most.
    pub differing: Vec<DifferingEvent>,
    /// Valid events that claim to be logs of the registries and are none, 1,000 at most.
    pub forged: Vec<ForgedEvent>,
    /// Valid events of other writers' own registries that name no log of the chain.
    pub not_on_chain: u64,
    /// Events that were missing and are stored now.
    pub events_mended: u64,
    /// Events that differed or were forged, and are taken over or taken back now.
    pub events_corrected: u64,
}

/// A valid event that says something else than the log whose name it has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DifferingEvent {
    /// The height of the log's block.
    pub block: i64,
    /// Its hash.
    pub hash: String,
    /// The log's place in it.
    pub log_index: i32,
    /// The columns of `events` that differ.
    pub columns: Vec<String>,
}

/// A valid event that claims to be a log of the registries, and is none.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ForgedEvent {
    /// The height that it names.
    pub block: i64,
    /// The hash that it names, in lower case.
    pub hash: String,
    /// The place that it names.
    pub log_index: i32,
    /// Its id: hostile text.
    pub id: String,
    /// Its block time.
    pub timestamp: i64,
}

/// What was mended.
#[derive(Clone, Copy, Debug, Default)]
struct Mended {
    stored: u64,
    corrected: u64,
}

impl AddAssign for Mended {
    fn add_assign(&mut self, more: Self) {
        self.stored += more.stored;
        self.corrected += more.corrected;
    }
}

/// Something that is missing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "missing", rename_all = "snake_case")]
pub enum Gap {
    /// Blocks that were not read.
    Blocks {
        /// The lowest.
        first: i64,
        /// The highest.
        last: i64,
    },
    /// A block that does not stand on the one stored below it.
    Parent {
        /// The upper one.
        block: i64,
    },
    /// Agents whose registration is not stored.
    Agents(AgentGap),
    /// Logs of a block.
    Events {
        /// Its height.
        block: i64,
        /// Its hash.
        hash: String,
        /// Their places in the block.
        log_indexes: Vec<i32>,
    },
}

impl GapCheck {
    /// Checks, and tells how many of how many blocks were compared with a node or fetched.
    /// `None` where nothing of the chain is stored.
    ///
    /// # Errors
    /// The settings cannot work, the store fails, or the nodes do, again and again.
    pub async fn run(&self, progress: impl Fn(u64, u64)) -> Result<Option<GapReport>> {
        let Some(blocks) = self.blocks().await? else { return Ok(None) };
        // For the whole run: what they are learnt to allow, and which of them fails.
        let nodes = self.nodes()?;
        let mut report = self.find(&nodes, &blocks, &progress).await?;
        if self.mend && !report.complete {
            let mended = self.mended(&nodes, &report, &progress).await?;
            report = GapReport {
                events_mended: mended.stored,
                events_corrected: mended.corrected,
                ..self.find(&nodes, &blocks, &progress).await?
            };
        }
        Ok(Some(report))
    }

    async fn blocks(&self) -> Result<Option<RangeInclusive<i64>>> {
        let (pool, id) = (&self.pool, self.settings.id);
        let stored = observed_blocks::latest(pool, id, self.known_to()).await;
        let Some(stored) = self.stored(stored)? else { return Ok(None) };
        let finalized = self.stored(chain_heights::finalized_height(pool, id).await)?;
        let usual = if self.against_chain { finalized } else { None }.unwrap_or(stored.number);
        let number = |given: Option<u64>, key, usual: i64| match given.map(i64::try_from) {
            None => Ok(usual),
            Some(Ok(number)) if number <= stored.number => Ok(number),
            Some(_) => self.refuse(key, "it is above the highest stored block"),
        };
        let from = number(self.from, "--from", self.start_block())?;
        let to = number(self.to, "--to", usual)?;
        if to < from {
            return self.refuse("--to", "it is below the first block to check");
        }
        Ok(Some(from..=to))
    }

    /// The reader that knows its blocks: our indexer, or where that is not there, the auditor.
    fn known_to(&self) -> Reader {
        let is_audited_alone = self.settings.is_followed_by_the_auditor() && !self.settings.indexed;
        if is_audited_alone { Reader::Auditor } else { Reader::Indexer }
    }

    async fn find(
        &self,
        nodes: &Nodes,
        blocks: &RangeInclusive<i64>,
        progress: &impl Fn(u64, u64),
    ) -> Result<GapReport> {
        let id = self.settings.id;
        let mut found = GapReport {
            chain: self.settings.name.clone(),
            chain_id: id.0,
            from: *blocks.start(),
            to: *blocks.end(),
            against_chain: self.against_chain,
            complete: true,
            gaps: Vec::new(),
            taken_back: 0,
            differing: Vec::new(),
            forged: Vec::new(),
            not_on_chain: 0,
            events_mended: 0,
            events_corrected: 0,
        };
        if self.settings.indexed {
            found.gaps.extend(self.ancestry_gaps(blocks).await?);
        }
        if self.settings.registries.identity.is_some() {
            let from_zero = *blocks.start() <= self.start_block();
            let agents = gaps::agents(&self.pool, id, blocks.clone(), from_zero).await;
            found.gaps.extend(self.stored(agents)?.into_iter().map(Gap::Agents));
        }
        if self.against_chain {
            self.compare(nodes, blocks, &mut found, progress).await?;
        }
        found.complete = found.gaps.is_empty()
            && found.taken_back == 0
            && found.differing.is_empty()
            && found.forged.is_empty();
        found.gaps.truncate(GAPS_MAX);
        found.differing.truncate(GAPS_MAX);
        found.forged.truncate(GAPS_MAX);
        Ok(found)
    }

    /// Fetches and stores what is missing, takes over what differs, takes back what is forged.
    async fn mended(
        &self,
        nodes: &Nodes,
        found: &GapReport,
        progress: &impl Fn(u64, u64),
    ) -> Result<Mended> {
        let mut mended = Mended::default();
        let differing: BTreeSet<i64> = found.differing.iter().map(|event| event.block).collect();
        for block in differing {
            mended += self.correct_events(nodes, block).await?;
        }
        let forged: BTreeSet<i64> = found.forged.iter().map(|event| event.block).collect();
        for block in forged {
            mended += self.mend_events(nodes, block..=block, progress).await?;
        }
        for gap in &found.gaps {
            mended += match gap {
                Gap::Blocks { first, last } => {
                    let stored = self.mend_blocks(nodes, *first..=*last, progress).await?;
                    Mended { stored, corrected: 0 }
                }
                Gap::Agents(AgentGap { from_block, to_block, .. }) => {
                    let first = from_block.unwrap_or(self.start_block());
                    let between = first.min(*to_block)..=first.max(*to_block);
                    self.mend_events(nodes, between, progress).await?
                }
                Gap::Events { block, .. } => {
                    self.mend_events(nodes, *block..=*block, progress).await?
                }
                // Which of the two is wrong is not for us to say.
                Gap::Parent { .. } => Mended::default(),
            };
        }
        Ok(mended)
    }

    /// The nodes, the second one first.
    fn nodes(&self) -> Result<Nodes> {
        let mut settings = self.settings.clone();
        settings.rpc_urls.rotate_left(1);
        Nodes::new(&settings)
    }

    /// A block with its logs, from whichever node gives it.
    async fn block(&self, nodes: &Nodes, number: i64) -> Result<Block> {
        let mut backoff = node_backoff();
        let mut tries = 0;
        loop {
            // As if it were deep: a node that does not have it fails.
            match fetch(nodes, &self.settings, number.unsigned_abs(), u64::MAX).await {
                Ok(Some(block)) => return Ok(block),
                Ok(None) => return self.refuse("rpc_urls", "a node lacks a block of the range"),
                Err(error) if error.stops_the_chain() => return Err(error),
                Err(error) => {
                    tries += 1;
                    if tries >= TRIES_MAX {
                        return Err(error);
                    }
                    tokio::time::sleep(backoff.next_wait()).await;
                }
            }
        }
    }

    fn start_block(&self) -> i64 {
        i64::try_from(self.settings.start_block).unwrap_or(i64::MAX)
    }

    fn refuse<T>(&self, key: &'static str, problem: &'static str) -> Result<T> {
        Err(IndexerError::Settings { chain: self.settings.name.clone(), key, problem })
    }

    fn stored<T>(&self, answer: Result<T, StoreError>) -> Result<T> {
        let chain = &self.settings.name;
        answer.map_err(|source| IndexerError::Store { chain: chain.clone(), source })
    }
}
