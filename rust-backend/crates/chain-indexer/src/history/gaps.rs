//! A check that a chain's stored events are complete: proved from the store alone, and on demand
//! against a node; and mended, if wanted.
//!
//! - No block was left out: `covered_ranges` join, and each stored block's parent is the one below
//!   it (`ancestry`).
//! - No agent was left out: the identity registry counts them up from 0.
//! - Against the chain (`difference`, `logs`): each log that a node has of these blocks is a valid
//!   row under its name, equal in every column that the chain knows, and no other row claims to be
//!   one. The second node is asked, if there is one, since the first was believed already.

mod ancestry;
mod difference;
mod logs;

use std::collections::BTreeSet;
use std::ops::RangeInclusive;

use event_store::PgPool;
use event_store::chain::chain_readers::Reader;
use event_store::chain::gaps::{self, AgentGap};
use futures::{Stream, StreamExt, stream};
use serde::Serialize;

use crate::branch::chain_store::ChainStore;
use crate::fetch::block::Block;
use crate::fetch::one_block::{Filter, fetch};
use crate::history::first_block::first_block;
use crate::rpc::node_backoff;
use crate::rpc::nodes::Nodes;
use crate::settings::ChainRole as _;
use crate::{ChainSettings, IndexerError, Result};

/// Entries of each list in a report.
const GAPS_MAX: usize = 1_000;
/// Requests for one block until the check is given up.
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
    /// True to compare every block's logs with a node's.
    pub against_chain: bool,
    /// True to fetch and store missing events, and to correct wrong ones.
    pub mend: bool,
}

/// The findings of a check. Each list has 1,000 entries at most.
#[derive(Clone, Debug, Default, Serialize)]
pub struct GapReport {
    /// The operator's name for the chain.
    pub chain: String,
    /// Its id.
    pub chain_id: i64,
    /// The lowest block that was checked.
    pub from: i64,
    /// The highest one.
    pub to: i64,
    /// True if the blocks were compared with a node's.
    pub against_chain: bool,
    /// True if no log of the chain is missing or invalidated, and no other row claims to be one;
    /// false if something is wrong; `None` if nothing is, and logs were not compared.
    pub complete: Option<bool>,
    /// The parts of the chain that were compared.
    pub compared: Vec<ChainPart>,
    /// The other parts.
    pub not_compared: Vec<ChainPart>,
    /// Missing blocks, agents and events.
    pub gaps: Vec<Gap>,
    /// Events that the chain has and that were invalidated: by hand, or by their writer's mistake.
    /// They are stored, and left as they are.
    pub invalidated: u64,
    /// Valid events that differ from their logs.
    pub differing: Vec<DifferingEvent>,
    /// Valid events that claim to be logs of the registries and are not.
    pub forged: Vec<ForgedEvent>,
    /// Valid events of other writers' own registries that name no log of the chain.
    pub not_on_chain: u64,
    /// Events that were missing and are stored now.
    pub events_mended: u64,
    /// Events that differed or were forged, and are corrected or invalidated now.
    pub events_corrected: u64,
}

/// A part of a chain that can be compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ChainPart {
    /// Blocks that were read, and their parents: our indexer's own account.
    Blocks,
    /// The numbers of the identity registry's agents.
    Agents,
    /// The logs of each block, with those of a node.
    Logs,
}

/// A valid event that differs from the log whose name it has.
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

/// A valid event that claims to be a log of the registries and is not.
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

/// Counts of mended events.
#[derive(Default)]
struct Mended {
    stored: u64,
    corrected: u64,
}

/// A gap in the stored blocks or events.
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
    /// A block whose parent is not the one stored below it.
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

/// A check under way.
struct Checking<'c, P> {
    check: &'c GapCheck,
    store: ChainStore,
    /// Kept for the whole run: the limits that they are learnt to have, and their failures.
    nodes: Nodes,
    start_block: i64,
    progress: P,
}

impl GapCheck {
    /// Checks, and calls `progress` with the number of blocks that were compared with a node or
    /// fetched, and of all. Returns `None` if nothing of the chain is stored.
    ///
    /// # Errors
    /// The settings cannot work, the store fails, or the nodes do, again and again.
    pub async fn run(&self, progress: impl Fn(u64, u64)) -> Result<Option<GapReport>> {
        // Our indexer knows its blocks, or without one, the auditor.
        let is_audited_alone = self.settings.is_followed_by_the_auditor() && !self.settings.indexed;
        let reader = if is_audited_alone { Reader::Auditor } else { Reader::Indexer };
        // The second node first.
        let mut settings = self.settings.clone();
        settings.rpc_urls.rotate_left(1);
        let nodes = Nodes::new(&settings)?;
        let store = ChainStore::new(self.pool.clone(), &self.settings, reader);
        let Some(stored) = self.highest(&store).await? else { return Ok(None) };
        let start_block = match store.asked(store.start_block(&store.pool)).await? {
            Some(block) => block,
            None => first_block(&nodes, &self.settings, || ()).await?.cast_signed(),
        };
        let checking = Checking { check: self, store, nodes, start_block, progress };
        checking.run(stored).await.map(Some)
    }

    /// The highest stored block: of a reader of ours, or of the chain's other writers.
    async fn highest(&self, store: &ChainStore) -> Result<Option<i64>> {
        match store.latest().await? {
            Some(block) => Ok(Some(block.number)),
            None => store.asked(gaps::highest(&store.pool, store.id)).await,
        }
    }
}

impl<P: Fn(u64, u64)> Checking<'_, P> {
    async fn run(&self, stored: i64) -> Result<GapReport> {
        let blocks = self.blocks(stored).await?;
        let mut report = self.find(&blocks).await?;
        if self.check.mend && report.complete == Some(false) {
            let mended = self.mended(&report).await?;
            report = GapReport {
                events_mended: mended.stored,
                events_corrected: mended.corrected,
                ..self.find(&blocks).await?
            };
        }
        Ok(report)
    }

    async fn blocks(&self, stored: i64) -> Result<RangeInclusive<i64>> {
        let GapCheck { from, to, against_chain, .. } = *self.check;
        let finalized = self.store.finalized().await?.filter(|_| against_chain);
        let usual = finalized.map_or(stored, |block| block.number);
        let number = |given: Option<u64>, key, usual: i64| match given.map(i64::try_from) {
            None => Ok(usual),
            Some(Ok(number)) if number <= stored => Ok(number),
            Some(_) => self.refuse(key, "it is above the highest stored block"),
        };
        let (from, to) = (number(from, "--from", self.start_block)?, number(to, "--to", usual)?);
        if to < from {
            return self.refuse("--to", "it is below the first block to check");
        }
        Ok(from..=to)
    }

    async fn find(&self, blocks: &RangeInclusive<i64>) -> Result<GapReport> {
        let mut found = GapReport {
            chain: self.store.name.clone(),
            chain_id: self.store.id.0,
            from: *blocks.start(),
            to: *blocks.end(),
            against_chain: self.check.against_chain,
            ..GapReport::default()
        };
        let compares = |part| match part {
            ChainPart::Blocks => self.check.settings.indexed,
            ChainPart::Agents => self.check.settings.registries.identity.is_some(),
            ChainPart::Logs => self.check.against_chain,
        };
        let parts = [ChainPart::Blocks, ChainPart::Agents, ChainPart::Logs].into_iter();
        (found.compared, found.not_compared) = parts.partition(|part| compares(*part));
        if compares(ChainPart::Blocks) {
            found.gaps.extend(self.ancestry_gaps(blocks).await?);
        }
        if compares(ChainPart::Agents) {
            let from_zero = *blocks.start() <= self.start_block;
            let (pool, id) = (&self.store.pool, self.store.id);
            let agents = gaps::agents(pool, id, blocks.clone(), from_zero).await;
            found.gaps.extend(self.store.named(agents)?.into_iter().map(Gap::Agents));
        }
        if compares(ChainPart::Logs) {
            self.compare(blocks, &mut found).await?;
        }
        let is_sound = found.gaps.is_empty()
            && found.invalidated == 0
            && found.differing.is_empty()
            && found.forged.is_empty();
        found.complete =
            if is_sound { self.check.against_chain.then_some(true) } else { Some(false) };
        found.gaps.truncate(GAPS_MAX);
        found.differing.truncate(GAPS_MAX);
        found.forged.truncate(GAPS_MAX);
        Ok(found)
    }

    /// Fetches and stores missing events, corrects differing ones and invalidates forged ones.
    async fn mended(&self, found: &GapReport) -> Result<Mended> {
        let mut mended = Mended::default();
        let differing: BTreeSet<i64> = found.differing.iter().map(|event| event.block).collect();
        for block in differing {
            self.correct_events(block, &mut mended).await?;
        }
        let forged: BTreeSet<i64> = found.forged.iter().map(|event| event.block).collect();
        for block in forged {
            self.mend_events(block..=block, &mut mended).await?;
        }
        for gap in &found.gaps {
            match gap {
                Gap::Blocks { first, last } => {
                    mended.stored += self.mend_blocks(*first..=*last).await?;
                }
                Gap::Agents(AgentGap { from_block, to_block, .. }) => {
                    let first = from_block.unwrap_or(self.start_block);
                    let blocks = first.min(*to_block)..=first.max(*to_block);
                    self.mend_events(blocks, &mut mended).await?;
                }
                Gap::Events { block, .. } => self.mend_events(*block..=*block, &mut mended).await?,
                // The store alone does not say which of the two is wrong.
                Gap::Parent { .. } => {}
            }
        }
        Ok(mended)
    }

    /// Blocks with their logs, some of them fetched ahead.
    fn fetched<'s>(
        &'s self,
        heights: impl Iterator<Item = i64> + 's,
    ) -> impl Stream<Item = Result<Block>> + Unpin + 's {
        stream::iter(heights).map(|number| self.block(number)).buffered(BLOCKS_AHEAD_MAX)
    }

    /// A block with its logs, from the first node that gives it.
    async fn block(&self, number: i64) -> Result<Block> {
        let mut backoff = node_backoff();
        let mut tries = 0;
        loop {
            // As if it were deep: a node that does not have it fails.
            let settings = &self.check.settings;
            let height = number.unsigned_abs();
            match fetch(&self.nodes, settings, height, u64::MAX, Filter::Ignored).await {
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

    fn refuse<T>(&self, key: &'static str, problem: &'static str) -> Result<T> {
        Err(IndexerError::Settings { chain: self.store.name.clone(), key, problem })
    }
}
