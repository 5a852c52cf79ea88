//! The loop of one chain: wait → ask for the head → fetch and store missing blocks (`catch_up`), or
//! invalidate replaced ones → repeat.

use std::sync::Arc;

use event_store::chain::chain_readers::{self, ChainProblem, Reader};
use service::backoff::Backoff;
use service::outage::Outage;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use crate::branch::ancestry::Ancestry;
use crate::branch::chain_store::ChainStore;
use crate::branch::lower_head::LowerHead;
use crate::branch::walk::Walk;
use crate::decode::NotDecoded;
use crate::decode::unknown_logs::UnknownLogs;
use crate::fetch::block::UnknownLog;
use crate::fetch::one_block::{Filter, complete};
use crate::fetch::stretch::Stretch;
use crate::follow::comparison::LogComparer;
use crate::follow::finality::FinalityTracker;
use crate::health::check::look_for_contracts;
use crate::health::nodes_watch::NodesWatch;
use crate::health::problem::ProblemReporter;
use crate::health::status::{ChainState, ChainStatus, StatusBoard};
use crate::history::first_block::first_block;
use crate::rpc::answer::HeaderRef;
use crate::rpc::heads::{Announced, Heads};
use crate::rpc::nodes::Nodes;
use crate::{ChainSettings, IndexerError, Result};

/// Blocks that are fetched ahead while behind: enough to hide a node's answer time, few enough for
/// the limits of public nodes.
pub(crate) const BLOCKS_AHEAD_MAX: u32 = 16;

/// Blocks until the node is asked for its head again, so that the status shows the progress.
const BLOCKS_PER_ROUND_MAX: u64 = 1_000;

/// A chain that is being indexed.
pub(crate) struct Chain {
    pub(crate) settings: Arc<ChainSettings>,
    pub(crate) nodes: Arc<Nodes>,
    pub(crate) ancestry: Ancestry,
    pub(crate) board: StatusBoard,
    pub(crate) shutdown: CancellationToken,
    pub(crate) backoff: Backoff,
    pub(crate) unknown_logs: UnknownLogs,
    pub(crate) finality: FinalityTracker,
    pub(crate) lower_head: LowerHead,
    /// The head that the node showed last.
    pub(crate) head: Option<u64>,
    /// True while many blocks are missing below the head.
    pub(crate) catching_up: bool,
    /// Begun once the nodes have answered.
    pub(crate) looking_for_contracts: Option<AbortOnDropHandle<()>>,
    pub(crate) outage: Outage,
    pub(crate) reporter: ProblemReporter,
}

/// The time of a chain's next cycle.
pub(crate) enum NextCycle {
    /// At once: the node has more.
    Now,
    /// After a wait for a new block; or never, if the shutdown has begun.
    AfterWait,
}

/// The end of a run of blocks.
pub(crate) enum Run {
    /// All of them are stored.
    Complete,
    /// The node does not have the next block yet, or the shutdown has begun.
    Missing,
    /// This block does not follow the highest stored one.
    Forked(HeaderRef),
}

impl Chain {
    /// Follows the chain until shutdown. An error means that it has stopped.
    pub(crate) async fn run(mut self) -> Result<()> {
        let shutdown = self.shutdown.clone();
        let watch = NodesWatch {
            nodes: Arc::clone(&self.nodes),
            reporter: self.reporter.clone(),
            board: Some(self.board.clone()),
            chain: Arc::clone(&self.settings),
        };
        let _watching = watch.start();
        let comparer = LogComparer {
            nodes: Arc::clone(&self.nodes),
            settings: Arc::clone(&self.settings),
            store: ChainStore::new(
                self.ancestry.store.pool.clone(),
                &self.settings,
                Reader::Indexer,
            ),
        };
        let _comparing = AbortOnDropHandle::new(tokio::spawn(comparer.run()));
        let mut heads = Heads::watch(&self.nodes);
        let mut poll_at = Instant::now();
        loop {
            let announced = tokio::select! {
                biased;
                () = shutdown.cancelled() => return Ok(()),
                head = heads.next() => head,
                () = tokio::time::sleep_until(poll_at) => None,
            };
            let was_announced = announced.is_some();
            if let Some(announced) = announced
                && self.take(&announced).await?
            {
                continue;
            }
            let before = self.ancestry.tip().cloned();
            while let NextCycle::Now = self.cycle().await? {}
            if !was_announced && before.is_some() && before.as_ref() != self.ancestry.tip() {
                heads.missed_one();
            }
            poll_at = Instant::now() + heads.poll_interval(self.settings.poll_interval);
        }
    }

    /// Stores a head that was announced, if it follows the highest stored block: then only its logs
    /// have to be asked for. Returns true if nothing is left to do; if not, a round finds out.
    async fn take(&mut self, announced: &Announced) -> Result<bool> {
        let Ok(header) = announced.header.header_ref() else { return Ok(false) };
        let Some(tip) = self.ancestry.tip() else { return Ok(false) };
        if *tip == header.name() {
            return Ok(true);
        }
        let nodes = Arc::clone(&self.nodes);
        let node = nodes.each().nth(announced.node).filter(|_| *tip == header.parent());
        let Some(node) = node else { return Ok(false) };
        let (settings, number) = (Arc::clone(&self.settings), header.number.unsigned_abs());
        let completing = complete(node, &settings, number, &announced.header, Filter::Believed);
        let block = match self.shutdown.run_until_cancelled(completing).await {
            None => return Ok(true),
            Some(Err(error)) if error.stops_the_chain() => return Err(error),
            Some(Err(error)) => {
                tracing::debug!(%error, "An announced head is asked for again");
                return Ok(false);
            }
            Some(Ok(block)) => block,
        };
        let stretch = Stretch::of(block);
        // Not interrupted. A store that fails is read again in a round.
        let Ok(Some(rows)) = self.ancestry.append(&stretch).await else { return Ok(false) };
        self.head = Some(number);
        self.show(|status| status.head = Some(number));
        self.stored(&stretch, rows);
        self.recovered();
        Ok(self.keep_finality(true).await.is_ok())
    }

    /// A round; after a failure that does not stop the chain, a wait.
    async fn cycle(&mut self) -> Result<NextCycle> {
        match self.round().await {
            Ok(next) => {
                self.recovered();
                self.looking_for_contracts
                    .get_or_insert_with(|| look_for_contracts(&self.nodes, &self.settings));
                self.reporter.report_ok().await;
                Ok(next)
            }
            Err(error) if error.stops_the_chain() => Err(error),
            Err(error) => {
                // Mostly it has not moved; an operator may reset the chain meanwhile.
                self.ancestry.unsure();
                self.failed(&error);
                self.reporter.report_problem(&error).await;
                let wait = tokio::time::sleep(self.backoff.next_wait());
                let waited = self.shutdown.run_until_cancelled(wait).await;
                Ok(waited.map_or(NextCycle::AfterWait, |()| NextCycle::Now))
            }
        }
    }

    /// Stores the blocks between the last stored one and the head, up to a round's number. If the
    /// node is on another branch, follows that.
    async fn round(&mut self) -> Result<NextCycle> {
        let next = match self.ancestry.next_number().await? {
            None => self.first_block().await?,
            next => next,
        };
        let Some(next) = next else { return Ok(NextCycle::AfterWait) };
        let asked = self.shutdown.run_until_cancelled(self.nodes.current().head()).await;
        let Some(found) = asked.transpose()? else { return Ok(NextCycle::AfterWait) };
        let head = found.number.unsigned_abs();
        self.see_head(head, next);
        let mut last = head.min(next.saturating_add(BLOCKS_PER_ROUND_MAX - 1));
        let run = if head < next {
            self.compare(found).await?
        } else if let Some(reach) = self.reach_of_ranges(next, head).await? {
            last = reach;
            self.store_ranges(next, reach).await?
        } else {
            self.store_blocks(next, last, head).await?
        };
        if let Run::Forked(header) = run {
            return self.follow(next, header).await;
        }
        let is_more = matches!(run, Run::Complete) && last < head;
        self.keep_finality(!is_more).await?;
        Ok(if is_more { NextCycle::Now } else { NextCycle::AfterWait })
    }

    /// Finds the first block to store; `None` if the shutdown has begun.
    async fn first_block(&mut self) -> Result<Option<u64>> {
        let (nodes, settings) = (Arc::clone(&self.nodes), Arc::clone(&self.settings));
        let finding = first_block(&nodes, &settings, || self.show(|_| {}));
        let found = self.shutdown.run_until_cancelled(finding).await.transpose()?;
        if let Some(first) = found {
            self.ancestry.start_at(first);
        }
        Ok(found)
    }

    /// Compares a head that is not above the highest stored block. A node that lags behind on our
    /// branch is waited for.
    async fn compare(&mut self, head: HeaderRef) -> Result<Run> {
        let Some(tip) = self.ancestry.tip() else { return Ok(Run::Missing) };
        let (store, node) = (&self.ancestry.store, self.nodes.current());
        let comparing = self.lower_head.fork(store, node, tip, head);
        let compared = self.shutdown.run_until_cancelled(comparing).await.transpose()?;
        Ok(compared.flatten().map_or(Run::Missing, Run::Forked))
    }

    /// Invalidates the stored blocks that are not on the branch of `header`. The next round goes on
    /// with the new ones. Where the node is back on the stored branch, stores the block `next`.
    async fn follow(&mut self, next: u64, header: HeaderRef) -> Result<NextCycle> {
        let Some(tip) = self.ancestry.tip().cloned() else { return Ok(NextCycle::Now) };
        let (store, node) = (&self.ancestry.store, self.nodes.current());
        let walk = Walk { store, node, alive: || self.show(|_| {}) };
        let walking = async {
            let head = walk.grown(&tip, header).await?;
            let reorg = if head.name() == tip { None } else { Some(walk.down(&tip, head).await?) };
            Ok((head.number.unsigned_abs(), reorg.filter(|reorg| reorg.fork != tip)))
        };
        let walked = self.shutdown.run_until_cancelled(walking).await.transpose()?;
        let Some((head, reorg)) = walked else { return Ok(NextCycle::AfterWait) };
        let Some(reorg) = reorg else {
            // Not at once: backends of one URL may be of either branch. The next round follows a
            // fork.
            if head >= next {
                self.store_blocks(next, next, head).await?;
            }
            return Ok(NextCycle::AfterWait);
        };
        let lowering = chain_readers::lower_compared(&store.pool, store.id, reorg.fork.number);
        store.asked(lowering).await?;
        // Not interrupted: a transaction under way is finished.
        if self.ancestry.follow(&reorg).await?.is_some() {
            self.backoff.reset();
            self.show(|status| {
                status.last_block = u64::try_from(reorg.fork.number).ok();
                status.reorgs += 1;
            });
        }
        Ok(NextCycle::Now)
    }

    /// Now and then, remembers the finalized and the safe block and the nodes' heads.
    async fn keep_finality(&mut self, is_at_head: bool) -> Result<()> {
        let Some(tip) = self.ancestry.tip().cloned() else { return Ok(()) };
        if !self.finality.is_due(is_at_head) {
            return Ok(());
        }
        let looking = self.finality.look(self.nodes.current(), &tip);
        let looked = self.shutdown.run_until_cancelled(looking).await;
        if let Some(finalized) = looked.transpose()?.flatten() {
            self.ancestry.store.finalize(&finalized).await?;
        }
        let asking = self.finality.safe(self.nodes.current());
        let asked = self.shutdown.run_until_cancelled(asking).await;
        if let Some(safe) = asked.transpose()?.flatten() {
            self.ancestry.store.raise_safe(&safe).await?;
        }
        self.ancestry.store.see_heads(&self.nodes.labels(), &self.nodes.heads()).await?;
        let finalized = self.ancestry.store.finalized().await?;
        let height = finalized.map(|block| block.number.unsigned_abs());
        self.show(|status| status.finalized = height);
        Ok(())
    }

    /// Shows the node's head and the distance to `next`, the block to store next.
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
        if !self.outage.is_on() {
            self.show_progress();
        }
    }

    pub(crate) fn stored(&mut self, stretch: &Stretch, rows: u64) {
        let chain = self.settings.name.as_str();
        let number = stretch.tip.number.unsigned_abs();
        tracing::trace!(chain, number, rows, "Stored up to a block");
        self.unknown_logs.mention(chain, &stretch.unknown);
        self.backoff.reset();
        let unknown = |is: fn(&UnknownLog) -> bool| {
            stretch.unknown.iter().filter(|log| is(log)).count() as u64
        };
        self.show(|status| {
            status.last_block = Some(number);
            status.blocks_stored += stretch.blocks();
            status.events_stored += rows;
            status.logs_unknown += unknown(|_| true);
            status.logs_unread += unknown(|log| log.reason == NotDecoded::Unread);
            status.logs_too_long += unknown(|log| log.is_too_long);
        });
    }

    fn recovered(&mut self) {
        self.backoff.reset();
        if self.outage.ends() && !self.shutdown.is_cancelled() {
            self.show_progress();
            let node = self.nodes.current().label();
            tracing::info!(chain = self.settings.name, node, "Indexing works again");
        }
    }

    fn failed(&mut self, error: &IndexerError) {
        let problem = error.to_string();
        if self.outage.begins_or_turns(error.may_need_a_reset()) {
            let chain = self.settings.name.as_str();
            tracing::warn!(chain, problem, "Indexing fails and is tried again until it works");
        }
        self.show(|status| {
            status.state = match error.consequence() {
                ChainProblem::Failing => ChainState::Failing { problem },
                ChainProblem::Stopped => ChainState::Stopped { problem },
            }
        });
    }

    fn show_progress(&self) {
        let state = if self.catching_up { ChainState::CatchingUp } else { ChainState::AtHead };
        self.show(|status| status.state = state);
    }

    fn show(&self, change: impl FnOnce(&mut ChainStatus)) {
        self.board.update(self.settings.id, change);
    }
}
