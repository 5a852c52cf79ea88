//! Stored events against a node's logs, block by block.

use std::collections::HashMap;
use std::ops::RangeInclusive;

use event_store::gaps;
use event_store::new_events::{self, NewEvent, Writer};
use futures::{StreamExt, stream};

use super::{BLOCKS_AHEAD_MAX, GAPS_MAX, Gap, GapCheck, GapReport};
use crate::Result;
use crate::node::Nodes;

/// Blocks whose events are read at once.
const BLOCKS_TOGETHER: i64 = 256;

/// A log by its block and its place there.
type Place = (String, i32);

/// What of some blocks is missing, and what is stored otherwise.
struct Difference {
    missing: Vec<NewEvent>,
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
            let inserted = self.insert(&difference.missing).await;
            events += self.stored(inserted)?;
            progress(heights.end().abs_diff(*blocks.start()) + 1, all);
        }
        Ok(events)
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
        let mut on_chain: Vec<NewEvent> = Vec::new();
        while let Some(block) = fetched.next().await {
            on_chain.extend(block?.events);
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
        Ok(Difference { missing, taken_back, not_on_chain })
    }
}

fn pages(blocks: &RangeInclusive<i64>) -> impl Iterator<Item = RangeInclusive<i64>> + use<> {
    let (first, last) = (*blocks.start(), *blocks.end());
    let starts = (0..).map(move |page| first + page * BLOCKS_TOGETHER);
    starts
        .take_while(move |start| *start <= last)
        .map(move |start| start..=last.min(start + BLOCKS_TOGETHER - 1))
}
