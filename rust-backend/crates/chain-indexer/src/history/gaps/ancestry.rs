//! Blocks that were not read, and blocks whose parent is not the one below.

use std::ops::RangeInclusive;

use event_store::StoreError;
use event_store::chain::covered_ranges::{self, CoveredRange};
use event_store::chain::gaps::{self, AncestryBlock};
use event_store::chain::observed_blocks;
use event_store::events::forgeries::{self, ReadBlocks};
use event_store::events::new_events::{self, IfStored};
use futures::StreamExt;

use super::{Checking, GAPS_MAX, Gap};
use crate::Result;
use crate::fetch::block::Block;

/// Blocks that are read at once.
const BLOCKS_TOGETHER: u32 = 10_000;

impl<P: Fn(u64, u64)> Checking<'_, P> {
    /// The blocks that no covered range has, and places at which ranges or blocks do not join.
    pub(super) async fn ancestry_gaps(&self, blocks: &RangeInclusive<i64>) -> Result<Vec<Gap>> {
        let store = &self.store;
        let ranges = store.named(covered_ranges::all(&store.pool, store.id).await)?;
        let unread = covered_ranges::gaps(&ranges, &store.addresses, blocks.clone());
        let unread = unread.into_iter().take(GAPS_MAX);
        let mut gaps: Vec<Gap> =
            unread.map(|gap| Gap::Blocks { first: *gap.start(), last: *gap.end() }).collect();
        let apart = ranges.iter().filter(|above| {
            let adjoins = |below: &&CoveredRange| below.last_block + 1 == above.first_block;
            let mut below = ranges.iter().filter(adjoins);
            blocks.contains(&above.first_block) && below.any(|below| !below.joins(above))
        });
        gaps.extend(apart.map(|above| Gap::Parent { block: above.first_block }));
        for block in self.apart(blocks).await? {
            if !gaps.contains(&Gap::Parent { block }) {
                gaps.push(Gap::Parent { block });
            }
        }
        Ok(gaps)
    }

    /// The stored blocks whose parent is another than the stored one right below.
    async fn apart(&self, blocks: &RangeInclusive<i64>) -> Result<Vec<i64>> {
        let mut apart = Vec::new();
        let mut below: Option<AncestryBlock> = None;
        let mut next = *blocks.start();
        while next <= *blocks.end() && apart.len() < GAPS_MAX {
            let heights = next..=*blocks.end();
            let (pool, id) = (&self.store.pool, self.store.id);
            let page = gaps::ancestry(pool, id, heights, BLOCKS_TOGETHER).await;
            let page = self.store.named(page)?;
            if page.is_empty() {
                break;
            }
            for step in page {
                let stands = below.is_none_or(|below| {
                    below.number + 1 != step.number || below.hash == step.parent_hash
                });
                if !stands {
                    apart.push(step.number);
                }
                next = step.number + 1;
                below = Some(step);
            }
        }
        Ok(apart)
    }

    /// Stores the missing blocks from the highest down, each the parent of the one above, until the
    /// node has another one. Returns how many events were missing.
    pub(super) async fn mend_blocks(&self, missing: RangeInclusive<i64>) -> Result<u64> {
        let (first, last) = missing.into_inner();
        let parent = self.store.named(self.parent_of(last + 1).await)?;
        let Some(mut expected) = parent else { return Ok(0) };
        let last_hash = expected.clone();
        let mut fetched = self.fetched((first..=last).rev());
        let (mut events, mut done, mut lowest) = (0, 0, last + 1);
        while let Some(block) = fetched.next().await {
            let block = block?;
            let number = block.row.block_number;
            if block.row.block_hash != expected {
                let chain = self.store.name.as_str();
                tracing::warn!(chain, number, "The node's block is not the stored one's parent");
                break;
            }
            expected.clone_from(&block.row.parent_hash);
            events += self.store.named(self.insert(&block).await)?;
            (done, lowest) = (done + 1, number);
            (self.progress)(done, last.abs_diff(first) + 1);
        }
        if lowest <= last {
            let range = CoveredRange {
                addresses: self.store.addresses.clone(),
                first_block: lowest,
                parent_hash: expected,
                last_block: last,
                last_hash,
            };
            self.store.named(self.cover(&range).await)?;
        }
        Ok(events)
    }

    /// The hash of the parent of the block at this height.
    async fn parent_of(&self, number: i64) -> event_store::Result<Option<String>> {
        let (pool, id) = (&self.store.pool, self.store.id);
        if let Some(block) = gaps::ancestry(pool, id, number..=number, 1).await?.pop() {
            return Ok(Some(block.parent_hash));
        }
        let ranges = covered_ranges::all(pool, id).await?;
        let above = ranges.into_iter().find(|range| range.first_block == number);
        Ok(above.map(|range| range.parent_hash))
    }

    async fn cover(&self, range: &CoveredRange) -> event_store::Result<()> {
        let mut transaction = self.store.pool.begin().await?;
        covered_ranges::cover(&mut transaction, self.store.id, range).await?;
        Ok(transaction.commit().await?)
    }

    async fn insert(&self, block: &Block) -> event_store::Result<u64> {
        let store = &self.store;
        let mut transaction = store.pool.begin().await?;
        let rows = std::slice::from_ref(&block.row);
        if let Some(other) = observed_blocks::insert_missing(&mut transaction, rows).await? {
            return Err(StoreError::BrokenRow {
                table: "observed_blocks",
                column: "block_hash",
                id: format!("{} {other}", store.id),
                problem: "it is another than the parent of the block above".to_owned(),
            });
        }
        if store.rights.invalidate {
            let read = ReadBlocks {
                chain_id: store.id,
                heights: block.row.block_number..=block.row.block_number,
                times: 0..=i64::MAX,
                hashes: &[&block.row.block_hash],
                logs: &block.events,
                claims: &store.claims,
            };
            forgeries::take_back(&mut transaction, &read).await?;
        }
        let if_stored = IfStored::by(store.rights);
        let events = new_events::insert(&mut transaction, &block.events, if_stored).await?;
        transaction.commit().await?;
        Ok(events)
    }
}
