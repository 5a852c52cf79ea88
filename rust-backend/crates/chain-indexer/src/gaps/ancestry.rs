//! The stored ancestry, block by block: is one missing, does one not stand on the one below?

use std::ops::RangeInclusive;

use event_store::chain_blocks;
use event_store::gaps::{self, Step};
use event_store::new_events::{self, Writer};
use futures::{StreamExt, stream};

use super::{BLOCKS_AHEAD_MAX, GAPS_MAX, Gap, GapCheck};
use crate::Result;
use crate::block::Block;

/// Blocks that are read at once.
const BLOCKS_TOGETHER: u32 = 10_000;

impl GapCheck {
    pub(super) async fn ancestry_gaps(&self, blocks: &RangeInclusive<i64>) -> Result<Vec<Gap>> {
        let mut gaps = Vec::new();
        let mut below: Option<Step> = None;
        let mut next = *blocks.start();
        while next <= *blocks.end() && gaps.len() < GAPS_MAX {
            let heights = next..=*blocks.end();
            let page = gaps::ancestry(&self.pool, self.settings.id, heights, BLOCKS_TOGETHER).await;
            let page = self.stored(page)?;
            if page.is_empty() {
                gaps.push(Gap::Blocks { first: next, last: *blocks.end() });
                break;
            }
            for step in page {
                if step.number > next {
                    gaps.push(Gap::Blocks { first: next, last: step.number - 1 });
                } else if below.is_some_and(|below| below.hash != step.parent_hash) {
                    gaps.push(Gap::Parent { block: step.number });
                }
                next = step.number + 1;
                below = Some(step);
            }
        }
        Ok(gaps)
    }

    /// Stores the missing blocks from the highest down, each the parent of the one above. It ends
    /// where the node has another one. Returns how many events were missing.
    pub(super) async fn mend_blocks(
        &self,
        missing: RangeInclusive<i64>,
        progress: &impl Fn(u64, u64),
    ) -> Result<u64> {
        let (first, last) = missing.into_inner();
        let above = gaps::ancestry(&self.pool, self.settings.id, last + 1..=last + 1, 1).await;
        let Some(above) = self.stored(above)?.pop() else { return Ok(0) };
        let nodes = self.nodes()?;
        let mut fetched = stream::iter((first..=last).rev())
            .map(|number| self.block(&nodes, number))
            .buffered(BLOCKS_AHEAD_MAX);
        let (mut expected, mut events, mut done) = (above.parent_hash, 0, 0);
        while let Some(block) = fetched.next().await {
            let block = block?;
            if block.row.block_hash != expected {
                let (chain, number) = (self.settings.name.as_str(), block.row.block_number);
                tracing::warn!(chain, number, "The node's block is not the stored one's parent");
                break;
            }
            expected.clone_from(&block.row.parent_hash);
            let stored = self.store(&block).await;
            events += self.stored(stored)?;
            done += 1;
            progress(done, last.abs_diff(first) + 1);
        }
        Ok(events)
    }

    async fn store(&self, block: &Block) -> event_store::Result<u64> {
        let mut transaction = self.pool.begin().await?;
        chain_blocks::insert(&mut transaction, &block.row).await?;
        // What is stored already stays as it is.
        let writer = Writer::Inserter;
        let events = new_events::insert(&mut transaction, &block.events, writer).await?;
        transaction.commit().await?;
        Ok(events)
    }
}
