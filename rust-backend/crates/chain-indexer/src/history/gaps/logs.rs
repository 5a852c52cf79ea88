//! Stored events against a node's logs, block by block.

use std::collections::{BTreeSet, HashMap};
use std::ops::RangeInclusive;

use event_engine::event::EventName;
use event_store::chain::gaps::{self, AncestryBlock};
use event_store::events::forgeries;
use event_store::events::new_events::{self, IfStored, NewEvent};
use futures::StreamExt;

use super::difference::{Difference, NodeBlocks};
use super::{Checking, DifferingEvent, ForgedEvent, GAPS_MAX, Gap, GapReport, Mended};
use crate::Result;

/// Blocks whose events are read at once.
const BLOCKS_TOGETHER: i64 = 256;
/// Blocks between a block and the next stored one above, for the way down to prove it.
const PROOF_BLOCKS_MAX: i64 = 10_000;

/// The proved part of a difference, to be mended.
#[derive(Default)]
struct Mends {
    missing: Vec<NewEvent>,
    differing: Vec<NewEvent>,
    forged: Vec<EventName>,
}

impl<P: Fn(u64, u64)> Checking<'_, P> {
    /// Compares these blocks with the node's, and adds to the report.
    pub(super) async fn compare(
        &self,
        blocks: &RangeInclusive<i64>,
        found: &mut GapReport,
    ) -> Result<()> {
        for heights in pages(blocks) {
            let difference = self.difference(heights.clone()).await?;
            found.invalidated += difference.invalidated;
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
            self.show_progress(blocks, *heights.end());
            if found.gaps.len() + found.differing.len() + found.forged.len() >= GAPS_MAX {
                break;
            }
        }
        Ok(())
    }

    /// Corrects the differing events of this block, before any is invalidated: a row may name a
    /// wrong block, and would be invalidated there.
    pub(super) async fn correct_events(&self, block: i64, mended: &mut Mended) -> Result<()> {
        let difference = self.difference(block..=block).await?;
        let Mends { differing, .. } = self.proved(&difference).await?;
        let mends = Mends { differing, ..Mends::default() };
        self.store.named(self.mend(&mends, mended).await)
    }

    /// Stores, corrects and invalidates events of these blocks until they are the node's.
    pub(super) async fn mend_events(
        &self,
        blocks: RangeInclusive<i64>,
        mended: &mut Mended,
    ) -> Result<()> {
        for heights in pages(&blocks) {
            let difference = self.difference(heights.clone()).await?;
            let proved = self.proved(&difference).await?;
            self.store.named(self.mend(&proved, mended).await)?;
            self.show_progress(&blocks, *heights.end());
        }
        Ok(())
    }

    fn show_progress(&self, blocks: &RangeInclusive<i64>, done: i64) {
        let count = |last: i64| last.abs_diff(*blocks.start()) + 1;
        (self.progress)(count(done), count(*blocks.end()));
    }

    /// The part of a difference that may be mended: events of final blocks of the stored branch.
    /// Higher blocks are still the indexer's, and a node may be on another branch.
    async fn proved(&self, found: &Difference) -> Result<Mends> {
        let (Some((lowest, _)), Some((highest, _))) =
            (found.blocks.first_key_value(), found.blocks.last_key_value())
        else {
            return Ok(Mends::default());
        };
        if found.missing.is_empty() && found.differing.is_empty() && found.forged.is_empty() {
            return Ok(Mends::default());
        }
        let store = &self.store;
        let final_to = store.finalized().await?.map(|block| block.number);
        let anchors = gaps::anchors(&store.pool, store.id, *lowest..=*highest, store.reader).await;
        let ours = self.branch(&found.blocks, &store.named(anchors)?, *lowest).await?;
        let is_proved = |number: i64| {
            let hash = found.blocks.get(&number).map(|(hash, _)| hash);
            final_to.is_none_or(|block| number <= block)
                && hash.is_some_and(|hash| ours.contains(hash))
        };
        let of_log = |log: &&NewEvent| is_proved(log.block_number);
        let forged = found.forged.iter().filter(|row| is_proved(row.block_number));
        let mends = Mends {
            missing: found.missing.iter().filter(of_log).cloned().collect(),
            differing: found.differing.iter().map(|(log, _)| log).filter(of_log).cloned().collect(),
            forged: forged.map(|row| row.name.clone()).collect(),
        };
        let logs = found.missing.iter().chain(found.differing.iter().map(|(log, _)| log));
        let rows = found.forged.iter().map(|row| row.block_number);
        let heights = logs.map(|log| log.block_number).chain(rows);
        let left: Vec<i64> = heights.filter(|height| !is_proved(*height)).collect();
        if let Some(block) = left.iter().min() {
            let (chain, events) = (store.name.as_str(), left.len());
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
        let mut above = self.fetched((highest + 1..top.number).rev().filter(|_| !too_far));
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

    /// Inserts missing events, corrects differing ones and invalidates forged ones, and changes no
    /// other row.
    async fn mend(&self, mends: &Mends, mended: &mut Mended) -> event_store::Result<()> {
        let mut transaction = self.store.pool.begin().await?;
        let corrected = forgeries::invalidate(&mut transaction, &mends.forged).await?
            + new_events::insert(&mut transaction, &mends.differing, IfStored::TakeOver).await?;
        let leave = IfStored::Leave;
        let stored = new_events::insert(&mut transaction, &mends.missing, leave).await?;
        transaction.commit().await?;
        mended.stored += stored;
        mended.corrected += corrected;
        Ok(())
    }
}

fn pages(blocks: &RangeInclusive<i64>) -> impl Iterator<Item = RangeInclusive<i64>> + use<> {
    let (first, last) = (*blocks.start(), *blocks.end());
    let starts = (0..).map(move |page| first + page * BLOCKS_TOGETHER);
    starts
        .take_while(move |start| *start <= last)
        .map(move |start| start..=last.min(start + BLOCKS_TOGETHER - 1))
}
