//! Stored events against a node's logs, block by block.

use std::collections::{BTreeSet, HashMap};
use std::ops::RangeInclusive;

use event_engine::event::EventName;
use event_store::chain::chain_heights;
use event_store::chain::gaps::{self, AncestryBlock};
use event_store::events::forgeries;
use event_store::events::new_events::{self, IfStored, NewEvent};
use futures::{StreamExt, stream};

use super::difference::{Difference, NodeBlocks};
use super::{
    BLOCKS_AHEAD_MAX, DifferingEvent, ForgedEvent, GAPS_MAX, Gap, GapCheck, GapReport, Mended,
};
use crate::Result;
use crate::rpc::node::Nodes;

/// Blocks whose events are read at once.
const BLOCKS_TOGETHER: i64 = 256;
/// How far above a block the next one may be that is stored, so that the way down to it proves it.
const PROOF_BLOCKS_MAX: i64 = 10_000;

/// What is to be mended.
#[derive(Default)]
struct Mends {
    missing: Vec<NewEvent>,
    differing: Vec<NewEvent>,
    forged: Vec<EventName>,
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
            found.differing.extend(difference.differing.into_iter().map(|(log, columns)| {
                let NewEvent { block_number: block, block_hash: hash, log_index, .. } = log;
                DifferingEvent { block, hash, log_index, columns }
            }));
            found.forged.extend(difference.forged.into_iter().map(|row| ForgedEvent {
                block: row.block_number,
                hash: row.block_hash,
                log_index: row.log_index,
                id: row.name.id,
                timestamp: row.name.timestamp,
            }));
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
            if found.gaps.len() + found.differing.len() + found.forged.len() >= GAPS_MAX {
                break;
            }
        }
        Ok(())
    }

    /// Takes over what differs in this block, and nothing else yet: a row of it may lie about its
    /// block, and would be taken back there.
    pub(super) async fn correct_events(&self, nodes: &Nodes, block: i64) -> Result<Mended> {
        let difference = self.difference(nodes, block..=block).await?;
        let Mends { differing, .. } = self.proved(nodes, &difference).await?;
        let done = self.mend(&Mends { differing, ..Mends::default() }).await;
        self.stored(done)
    }

    /// Makes what is stored of these blocks what the node has.
    pub(super) async fn mend_events(
        &self,
        nodes: &Nodes,
        blocks: RangeInclusive<i64>,
        progress: &impl Fn(u64, u64),
    ) -> Result<Mended> {
        let all = blocks.end().abs_diff(*blocks.start()) + 1;
        let mut mended = Mended::default();
        for heights in pages(&blocks) {
            let difference = self.difference(nodes, heights.clone()).await?;
            let proved = self.proved(nodes, &difference).await?;
            let done = self.mend(&proved).await;
            mended += self.stored(done)?;
            progress(heights.end().abs_diff(*blocks.start()) + 1, all);
        }
        Ok(mended)
    }

    /// What of a difference may be mended: what is of a block of the stored branch, and final. What
    /// is above is still its indexer's, and a node may be on another branch.
    async fn proved(&self, nodes: &Nodes, found: &Difference) -> Result<Mends> {
        let (Some((lowest, _)), Some((highest, _))) =
            (found.blocks.first_key_value(), found.blocks.last_key_value())
        else {
            return Ok(Mends::default());
        };
        if found.missing.is_empty() && found.differing.is_empty() && found.forged.is_empty() {
            return Ok(Mends::default());
        }
        let (pool, id, reader) = (&self.pool, self.settings.id, self.known_to());
        let final_to = self.stored(chain_heights::finalized_height(pool, id).await)?;
        let anchors = self.stored(gaps::anchors(pool, id, *lowest..=*highest, reader).await)?;
        let ours = self.branch(nodes, &found.blocks, &anchors, *lowest).await?;
        let is_proved = |number: i64| {
            let hash = found.blocks.get(&number).map(|(hash, _)| hash);
            final_to.is_none_or(|block| number <= block)
                && hash.is_some_and(|hash| ours.contains(hash))
        };
        let of_log = |log: &&NewEvent| is_proved(log.block_number);
        let mends = Mends {
            missing: found.missing.iter().filter(of_log).cloned().collect(),
            differing: found.differing.iter().map(|(log, _)| log).filter(of_log).cloned().collect(),
            forged: found
                .forged
                .iter()
                .filter(|row| is_proved(row.block_number))
                .map(|row| row.name.clone())
                .collect(),
        };
        let missing = found.missing.iter().filter(|log| !of_log(log));
        let numbers = missing
            .chain(found.differing.iter().map(|(log, _)| log).filter(|log| !of_log(log)))
            .map(|log| log.block_number)
            .chain(found.forged.iter().map(|row| row.block_number).filter(|at| !is_proved(*at)));
        let left: Vec<i64> = numbers.collect();
        if let Some(block) = left.iter().min() {
            let (chain, events) = (self.settings.name.as_str(), left.len());
            tracing::warn!(
                chain,
                events,
                block,
                "Events are not mended: their blocks are not final, or not known to be of the \
                 stored branch; the lowest is named",
            );
        }
        Ok(mends)
    }

    /// The hashes of the node's blocks from `lowest` up that are stored, or that a stored one
    /// stands on.
    async fn branch(
        &self,
        nodes: &Nodes,
        known: &NodeBlocks,
        anchors: &[AncestryBlock],
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
        let stored: HashMap<i64, &AncestryBlock> =
            anchors.iter().map(|step| (step.number, step)).collect();
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

    /// What was missing when it was looked at is inserted, what says something else is taken over,
    /// and what is no log is taken back. Nothing else that is stored is changed.
    async fn mend(&self, mends: &Mends) -> event_store::Result<Mended> {
        let mut transaction = self.pool.begin().await?;
        let corrected = forgeries::invalidate(&mut transaction, &mends.forged).await?
            + new_events::insert(&mut transaction, &mends.differing, IfStored::TakeOver).await?;
        let leave = IfStored::Leave;
        let stored = new_events::insert(&mut transaction, &mends.missing, leave).await?;
        transaction.commit().await?;
        Ok(Mended { stored, corrected })
    }
}

fn pages(blocks: &RangeInclusive<i64>) -> impl Iterator<Item = RangeInclusive<i64>> + use<> {
    let (first, last) = (*blocks.start(), *blocks.end());
    let starts = (0..).map(move |page| first + page * BLOCKS_TOGETHER);
    starts
        .take_while(move |start| *start <= last)
        .map(move |start| start..=last.min(start + BLOCKS_TOGETHER - 1))
}
