//! Stored events against a node's logs, block by block.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::RangeInclusive;

use event_store::finalized_blocks;
use event_store::gaps::{self, Step};
use event_store::new_events::{self, NewEvent, Writer};
use futures::{StreamExt, stream};

use super::{BLOCKS_AHEAD_MAX, GAPS_MAX, Gap, GapCheck, GapReport};
use crate::Result;
use crate::node::Nodes;

/// Blocks whose events are read at once.
const BLOCKS_TOGETHER: i64 = 256;
/// How far above a block the next one may be that is stored, so that the way down to it proves it.
const PROOF_BLOCKS_MAX: i64 = 10_000;

/// A log by its block and its place there.
type Place = (String, i32);

/// A node's blocks by height: hash and the parent's.
type NodeBlocks = BTreeMap<i64, (String, String)>;

/// What of some blocks is missing, and what is stored otherwise.
struct Difference {
    missing: Vec<NewEvent>,
    /// The node's blocks: hash and parent.
    blocks: NodeBlocks,
    taken_back: u64,
    not_on_chain: u64,
}

impl GapCheck {
    /// Compares these blocks with the node's, and adds to the report.
    pub(super) async fn compare(
        &self,
        nodes: &Nodes,
        blocks: &RangeInclusive<i64>,
        found: &mut GapReport,
        progress: &impl Fn(u64, u64),
    ) -> Result<()> {
        let all = blocks.end().abs_diff(*blocks.start()) + 1;
        for heights in pages(blocks) {
            let difference = self.difference(nodes, heights.clone()).await?;
            found.taken_back += difference.taken_back;
            found.not_on_chain += difference.not_on_chain;
            for event in difference.missing {
                match found.gaps.last_mut() {
                    Some(Gap::Events { hash, log_indexes, .. }) if *hash == event.block_hash => {
                        log_indexes.push(event.log_index);
                    }
                    _ => found.gaps.push(Gap::Events {
                        block: event.block_number,
                        hash: event.block_hash,
                        log_indexes: vec![event.log_index],
                    }),
                }
            }
            progress(heights.end().abs_diff(*blocks.start()) + 1, all);
            if found.gaps.len() >= GAPS_MAX {
                break;
            }
        }
        Ok(())
    }

    /// Stores what is missing of these blocks. Returns how many events that was.
    pub(super) async fn mend_events(
        &self,
        nodes: &Nodes,
        blocks: RangeInclusive<i64>,
        progress: &impl Fn(u64, u64),
    ) -> Result<u64> {
        let all = blocks.end().abs_diff(*blocks.start()) + 1;
        let mut events = 0;
        for heights in pages(&blocks) {
            let difference = self.difference(nodes, heights.clone()).await?;
            let proved = self.proved(nodes, &difference).await?;
            let inserted = self.insert(&proved).await;
            events += self.stored(inserted)?;
            progress(heights.end().abs_diff(*blocks.start()) + 1, all);
        }
        Ok(events)
    }

    /// Those of the missing events whose blocks are of the stored branch, and final: what is above
    /// is still its indexer's. A node may be on another branch.
    async fn proved(&self, nodes: &Nodes, found: &Difference) -> Result<Vec<NewEvent>> {
        let heights = || found.missing.iter().map(|event| event.block_number);
        let (Some(lowest), Some(highest)) = (heights().min(), heights().max()) else {
            return Ok(Vec::new());
        };
        let (pool, id, audited) = (&self.pool, self.settings.id, self.is_audited_alone());
        let final_to = self.stored(finalized_blocks::height(pool, id).await)?;
        let anchors = self.stored(gaps::anchors(pool, id, lowest..=highest, audited).await)?;
        let ours = self.branch(nodes, &found.blocks, &anchors, lowest).await?;
        let (proved, other): (Vec<_>, Vec<_>) = found.missing.iter().cloned().partition(|event| {
            ours.contains(&event.block_hash)
                && final_to.is_none_or(|block| event.block_number <= block)
        });
        if let Some(event) = other.first() {
            let (chain, events) = (self.settings.name.as_str(), other.len());
            let (block, hash) = (event.block_number, event.block_hash.as_str());
            tracing::warn!(
                chain,
                events,
                block,
                hash,
                "Missing events are not stored: their blocks are not final, or not known to be of \
                 the stored branch; the first is named",
            );
        }
        Ok(proved)
    }

    /// The hashes of the node's blocks from `lowest` up that are stored, or that a stored one
    /// stands on.
    async fn branch(
        &self,
        nodes: &Nodes,
        known: &NodeBlocks,
        anchors: &[Step],
        lowest: i64,
    ) -> Result<BTreeSet<String>> {
        let mut ours = BTreeSet::new();
        let Some(top) = anchors.last() else { return Ok(ours) };
        let highest = known.last_key_value().map_or(lowest, |(number, _)| *number);
        let too_far = top.number - highest > PROOF_BLOCKS_MAX;
        // Down to the page, whose blocks are at hand.
        let mut expected = if too_far { None } else { Some(top.parent_hash.clone()) };
        let mut above = stream::iter((highest + 1..top.number).rev().filter(|_| !too_far))
            .map(|number| self.block(nodes, number))
            .buffered(BLOCKS_AHEAD_MAX);
        while let Some(block) = above.next().await {
            let row = block?.row;
            expected = expected.filter(|hash| *hash == row.block_hash).map(|_| row.parent_hash);
        }
        let stored: HashMap<i64, &Step> = anchors.iter().map(|step| (step.number, step)).collect();
        for (number, (hash, parent)) in known.range(lowest..).rev() {
            if let Some(step) = stored.get(number) {
                expected = Some(step.hash.clone());
            } else if *number > top.number {
                continue;
            }
            let is_ours = expected.as_ref() == Some(hash);
            expected = is_ours.then(|| parent.clone());
            if is_ours {
                ours.insert(hash.clone());
            }
        }
        Ok(ours)
    }

    /// What was missing when it was looked at is inserted, and nothing that is stored is changed.
    async fn insert(&self, missing: &[NewEvent]) -> event_store::Result<u64> {
        let mut transaction = self.pool.begin().await?;
        let events = new_events::insert(&mut transaction, missing, Writer::Inserter).await?;
        transaction.commit().await?;
        Ok(events)
    }

    async fn difference(&self, nodes: &Nodes, heights: RangeInclusive<i64>) -> Result<Difference> {
        let mut fetched = stream::iter(heights.clone())
            .map(|number| self.block(nodes, number))
            .buffered(BLOCKS_AHEAD_MAX);
        let (mut on_chain, mut blocks) = (Vec::new(), NodeBlocks::new());
        while let Some(block) = fetched.next().await {
            let block = block?;
            let row = block.row;
            blocks.insert(row.block_number, (row.block_hash, row.parent_hash));
            on_chain.extend(block.events);
        }
        let stored = gaps::stored(&self.pool, self.settings.id, heights).await;
        let mut rows: HashMap<Place, bool> = HashMap::new();
        for row in self.stored(stored)? {
            let valid = rows.entry((row.block_hash, row.log_index)).or_default();
            *valid |= !row.invalidated;
        }
        let (mut missing, mut taken_back) = (Vec::new(), 0);
        for event in on_chain {
            match rows.remove(&(event.block_hash.clone(), event.log_index)) {
                Some(true) => {}
                Some(false) => taken_back += 1,
                None => missing.push(event),
            }
        }
        let not_on_chain = rows.into_values().filter(|valid| *valid).count() as u64;
        Ok(Difference { missing, blocks, taken_back, not_on_chain })
    }
}

fn pages(blocks: &RangeInclusive<i64>) -> impl Iterator<Item = RangeInclusive<i64>> + use<> {
    let (first, last) = (*blocks.start(), *blocks.end());
    let starts = (0..).map(move |page| first + page * BLOCKS_TOGETHER);
    starts
        .take_while(move |start| *start <= last)
        .map(move |start| start..=last.min(start + BLOCKS_TOGETHER - 1))
}
