//! The loop of one chain: wait → ask for the head → fetch and store what is missing, or take back
//! what was replaced → repeat.

use std::panic::resume_unwind;
use std::sync::Arc;

use event_store::reorgs::Reorg;
use futures::{Stream, StreamExt, stream};
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use crate::ancestry::Ancestry;
use crate::answer::Link;
use crate::backoff::Backoff;
use crate::block::Block;
use crate::fetch::fetch;
use crate::finality::Finality;
use crate::node::Nodes;
use crate::reorg::Walk;
use crate::status::{ChainState, ChainStatus, StatusBoard};
use crate::unknown_logs::UnknownLogs;
use crate::{ChainSettings, IndexerError, Result};

/// Blocks that are fetched ahead while behind: enough to hide a node's answer time, few enough for
/// what public nodes allow at once.
const BLOCKS_AHEAD_MAX: u32 = 16;
/// Blocks until the node is asked for its head again, so that the status shows how far it is.
const BLOCKS_PER_ROUND_MAX: u64 = 1_000;

/// One chain on its way.
pub(crate) struct Chain {
    pub(crate) settings: Arc<ChainSettings>,
    pub(crate) nodes: Arc<Nodes>,
    pub(crate) ancestry: Ancestry,
    pub(crate) board: StatusBoard,
    pub(crate) shutdown: CancellationToken,
    pub(crate) backoff: Backoff,
    pub(crate) unknown_logs: UnknownLogs,
    pub(crate) finality: Finality,
    /// The head that the node last showed.
    pub(crate) head: Option<u64>,
    /// Whether there is much to do before the head.
    pub(crate) catching_up: bool,
    /// Whether the last round failed.
    pub(crate) failing: bool,
}

/// What a round leaves to do.
enum Next {
    /// Blocks are missing that the node has.
    More,
    /// A new block has to be waited for, or the shutdown has begun.
    Wait,
}

/// How far a run of blocks came.
enum Run {
    /// All of them are stored.
    Complete,
    /// The node does not have the next one yet, or the shutdown has begun.
    Missing,
    /// This one does not follow the highest stored block.
    Forked(Link),
}

impl Chain {
    /// Follows the chain until shutdown. An error means that it has stopped.
    pub(crate) async fn run(mut self) -> Result<()> {
        let shutdown = self.shutdown.clone();
        let mut poll = interval(self.settings.poll_interval);
        poll.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while shutdown.run_until_cancelled(poll.tick()).await.is_some() {
            while let Next::More = self.cycle().await? {}
        }
        Ok(())
    }

    /// A round, and what its end means: a failure is waited out, unless it stops the chain.
    async fn cycle(&mut self) -> Result<Next> {
        match self.round().await {
            Ok(next) => {
                self.recovered();
                Ok(next)
            }
            Err(error) if error.stops_the_chain() => Err(error),
            Err(error) => {
                self.failed(&error);
                let wait = tokio::time::sleep(self.backoff.next_wait());
                let waited = self.shutdown.run_until_cancelled(wait).await;
                Ok(waited.map_or(Next::Wait, |()| Next::More))
            }
        }
    }

    /// Stores what lies between the last stored block and the head, up to a round's number; where
    /// the node's branch is another by now, takes back what it replaces.
    async fn round(&mut self) -> Result<Next> {
        let next = self.ancestry.next_number().await?;
        let asked = self.shutdown.run_until_cancelled(self.nodes.current().head()).await;
        let Some(link) = asked.transpose()? else { return Ok(Next::Wait) };
        let head = link.number.unsigned_abs();
        self.see_head(head, next);
        let last = head.min(next.saturating_add(BLOCKS_PER_ROUND_MAX - 1));
        let run = if head < next {
            // A node that lags behind on our branch is waited for.
            let is_other = self.ancestry.contradicts(link).await?;
            if is_other { Run::Forked(link) } else { Run::Missing }
        } else {
            self.store_blocks(next, last, head).await?
        };
        if let Run::Forked(link) = run {
            return self.follow(link).await;
        }
        self.keep_finality().await?;
        let is_complete = matches!(run, Run::Complete);
        Ok(if is_complete && last < head { Next::More } else { Next::Wait })
    }

    /// Stores the blocks from `first` to `last` in order; each once it is known to follow the one
    /// before.
    async fn store_blocks(&mut self, first: u64, last: u64, head: u64) -> Result<Run> {
        let mut blocks = self.blocks(first, last, head);
        let shutdown = self.shutdown.clone();
        for number in first..=last {
            let fetched = shutdown.run_until_cancelled(blocks.next()).await.flatten();
            let Some(Some(block)) = fetched.transpose()? else {
                tracing::trace!(chain = self.settings.name, number, "A block is not there yet");
                return Ok(Run::Missing);
            };
            // Not interrupted: a transaction under way is finished.
            let Some(rows) = self.ancestry.append(&block).await? else {
                return Ok(Run::Forked(block.link));
            };
            self.stored(number, rows, &block);
        }
        Ok(Run::Complete)
    }

    /// Takes back the stored blocks that are not on the branch of `link`. The next round goes on
    /// with the new ones.
    async fn follow(&mut self, link: Link) -> Result<Next> {
        let Some(tip) = self.ancestry.tip().cloned() else { return Ok(Next::More) };
        let (settings, board) = (Arc::clone(&self.settings), self.board.clone());
        let node = self.nodes.current();
        let walk = Walk { settings: &settings, node, ancestry: &self.ancestry, board: &board };
        let walked = self.shutdown.run_until_cancelled(walk.down(&tip, link)).await;
        let Some(reorg) = walked.transpose()? else { return Ok(Next::Wait) };
        // Not interrupted: a transaction under way is finished.
        if let Some(events_invalidated) = self.ancestry.take_back(&reorg).await? {
            self.took_back(&reorg, events_invalidated);
        }
        Ok(Next::More)
    }

    /// Now and then, remembers what is finalized, and shows it.
    async fn keep_finality(&mut self) -> Result<()> {
        let Some(tip) = self.ancestry.tip().cloned() else { return Ok(()) };
        if !self.finality.is_due() {
            return Ok(());
        }
        let looking = self.finality.look(self.nodes.current(), &tip);
        let looked = self.shutdown.run_until_cancelled(looking).await;
        if let Some(finalized) = looked.transpose()?.flatten() {
            self.ancestry.finalize(&finalized).await?;
        }
        let finalized = self.ancestry.finalized().await?.map(i64::unsigned_abs);
        self.show(|status| status.finalized = finalized);
        Ok(())
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
                let fetching = async move { fetch(&nodes, &settings, number, head).await };
                AbortOnDropHandle::new(tokio::spawn(fetching))
            })
            .buffered(BLOCKS_AHEAD_MAX as usize)
            .map(|fetched| fetched.unwrap_or_else(|error| resume_unwind(error.into_panic())))
    }

    /// Takes note of the node's head, `next` being the block to store next.
    fn see_head(&mut self, head: u64, next: u64) {
        let chain = self.settings.name.as_str();
        if self.head.is_some_and(|before| head < before) {
            tracing::debug!(chain, head, next, "The node's head went backwards; waiting for it");
        }
        self.head = Some(head);
        let behind = head.saturating_add(1).saturating_sub(next);
        let is_behind = behind > u64::from(BLOCKS_AHEAD_MAX);
        if is_behind != self.catching_up {
            self.catching_up = is_behind;
            let sentence = if is_behind { "Catching up" } else { "Caught up" };
            tracing::info!(chain, next, head, "{sentence} with the chain");
        }
        self.show(|status| {
            status.head = Some(head);
            status.last_block = next.checked_sub(1);
        });
        if !self.failing {
            self.show_progress();
        }
    }

    fn stored(&mut self, number: u64, rows: u64, block: &Block) {
        let chain = self.settings.name.as_str();
        tracing::trace!(chain, number, rows, "Stored a block");
        self.unknown_logs.mention(chain, &block.unknown);
        self.backoff.reset();
        self.show(|status| {
            status.last_block = Some(number);
            status.blocks_stored += 1;
            status.events_stored += rows;
            status.logs_unknown += block.unknown.len() as u64;
        });
    }

    fn took_back(&mut self, reorg: &Reorg, events_invalidated: u64) {
        let fork_block = reorg.fork.number;
        tracing::info!(
            chain = self.settings.name,
            fork_block,
            depth = reorg.tip.number - fork_block,
            events_invalidated,
            "The chain was reorganised; what was replaced is taken back",
        );
        self.backoff.reset();
        self.show(|status| {
            status.last_block = u64::try_from(fork_block).ok();
            status.reorgs += 1;
        });
    }

    fn recovered(&mut self) {
        self.backoff.reset();
        if std::mem::take(&mut self.failing) && !self.shutdown.is_cancelled() {
            self.show_progress();
            let node = self.nodes.current().label();
            tracing::info!(chain = self.settings.name, node, "Indexing works again");
        }
    }

    fn failed(&mut self, error: &IndexerError) {
        let problem = error.to_string();
        if !std::mem::replace(&mut self.failing, true) {
            let chain = self.settings.name.as_str();
            tracing::warn!(chain, problem, "Indexing fails and is tried again until it works");
        }
        self.show(|status| status.state = ChainState::Failing { problem });
    }

    fn show_progress(&self) {
        let state = if self.catching_up { ChainState::CatchingUp } else { ChainState::AtHead };
        self.show(|status| status.state = state);
    }

    fn show(&self, change: impl FnOnce(&mut ChainStatus)) {
        self.board.update(self.settings.id, change);
    }
}
