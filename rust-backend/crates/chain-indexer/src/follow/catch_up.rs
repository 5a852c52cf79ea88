//! Fetching and storing missing blocks: far below the head in ranges, near it block by block.

use std::panic::resume_unwind;
use std::sync::Arc;
use std::time::Duration;

use futures::{FutureExt, Stream, StreamExt, stream};
use tokio::time::Instant;
use tokio_util::task::AbortOnDropHandle;

use crate::Result;
use crate::fetch::block::Block;
use crate::fetch::one_block::{Filter, fetch};
use crate::fetch::ranges::Ranges;
use crate::fetch::stretch::Stretch;
use crate::follow::chain::{BLOCKS_AHEAD_MAX, Chain, Run};

/// Ranges that are fetched at once: one answers while another is stored.
const RANGES_AHEAD_MAX: usize = 4;
/// Fewer blocks are not worth a range.
const RANGE_BLOCKS_MIN: u64 = 32;
/// Time for ranges until the node is asked for its head again.
const RANGES_PER_ROUND: Duration = Duration::from_secs(10);

impl Chain {
    /// The height up to which blocks from `next` on are fetched in ranges; `None` for no range.
    pub(crate) async fn reach_of_ranges(&mut self, next: u64, head: u64) -> Result<Option<u64>> {
        let is_far = |reach: u64| reach >= next.saturating_add(RANGE_BLOCKS_MIN);
        if !is_far(head) || self.ancestry.may_be_back(next) {
            return Ok(None);
        }
        let nodes = Arc::clone(&self.nodes);
        let asking = self.finality.reach(nodes.current(), head);
        let reach = self.shutdown.run_until_cancelled(asking).await.transpose()?.flatten();
        Ok(reach.filter(|reach| is_far(*reach)))
    }

    /// Stores the blocks from `first` to `last`, which are final, for a while.
    pub(crate) async fn store_ranges(&mut self, first: u64, last: u64) -> Result<Run> {
        let mut ranges = Ranges::new(&self.nodes, &self.settings, first..=last, RANGES_AHEAD_MAX);
        let (shutdown, began) = (self.shutdown.clone(), Instant::now());
        loop {
            if began.elapsed() > RANGES_PER_ROUND {
                ranges.end_soon();
            }
            let fetched = shutdown.run_until_cancelled(ranges.next()).await.transpose()?;
            let Some(fetched) = fetched else { return Ok(Run::Missing) };
            let Some(stretch) = fetched else { return Ok(Run::Complete) };
            // Not interrupted: a transaction under way is finished.
            let Some(rows) = self.ancestry.append(&stretch).await? else {
                return Ok(stretch.foot.map_or(Run::Complete, Run::Forked));
            };
            self.stored(&stretch, rows);
        }
    }

    /// Stores the blocks from `first` to `last` in order; each once it is known to follow the one
    /// before. While catching up, several in one transaction; at the head each in its own.
    pub(crate) async fn store_blocks(&mut self, first: u64, last: u64, head: u64) -> Result<Run> {
        let mut blocks = self.blocks(first, last, head);
        let shutdown = self.shutdown.clone();
        let mut left_over = None;
        loop {
            let fetched = match left_over.take() {
                None => shutdown.run_until_cancelled(blocks.next()).await,
                fetched => fetched,
            };
            let Some(fetched) = fetched else { return Ok(Run::Missing) };
            let Some(fetched) = fetched else { return Ok(Run::Complete) };
            let Some(block) = fetched? else {
                tracing::trace!(chain = self.settings.name, "A block is not there yet");
                return Ok(Run::Missing);
            };
            let mut stretch = Stretch::of(block);
            while self.catching_up && !stretch.is_full() {
                left_over = match blocks.next().now_or_never() {
                    Some(Some(Ok(Some(block)))) => match stretch.push(block) {
                        None => continue,
                        Some(block) => Some(Some(Ok(Some(block)))),
                    },
                    fetched => fetched,
                };
                break;
            }
            // Not interrupted: a transaction under way is finished.
            let Some(rows) = self.ancestry.append(&stretch).await? else {
                return Ok(stretch.foot.map_or(Run::Complete, Run::Forked));
            };
            self.stored(&stretch, rows);
        }
    }

    /// The blocks in order, a few of them fetched ahead.
    fn blocks(
        &self,
        first: u64,
        last: u64,
        head: u64,
    ) -> impl Stream<Item = Result<Option<Block>>> + Unpin + use<> {
        let (nodes, settings) = (Arc::clone(&self.nodes), Arc::clone(&self.settings));
        stream::iter(first..=last)
            .map(move |number| {
                let (nodes, settings) = (Arc::clone(&nodes), Arc::clone(&settings));
                let fetching =
                    async move { fetch(&nodes, &settings, number, head, Filter::Believed).await };
                AbortOnDropHandle::new(tokio::spawn(fetching))
            })
            .buffered(BLOCKS_AHEAD_MAX as usize)
            .map(|fetched| fetched.unwrap_or_else(|error| resume_unwind(error.into_panic())))
    }
}
