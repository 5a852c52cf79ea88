//! The loop of one audited chain: wait → follow its head → compare arrivals → repeat.

use std::sync::Arc;
use std::time::{Duration, Instant};

use event_store::PgPool;
use event_store::chain::chain_readers::{ChainProblem, Reader};
use event_store::chain::observed_blocks::BlockName;
use event_store::chain::{audit_suspects, audited_branch};
use service::backoff::Backoff;
use service::outage::Outage;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use super::context::AuditContext;
use super::{Pulse, arrivals, branch::Branch, measures};
use crate::branch::chain_store::ChainStore;
use crate::follow::chain::NextCycle;
use crate::health::check::look_for_contracts;
use crate::health::nodes_watch::NodesWatch;
use crate::health::problem::ProblemReporter;
use crate::rpc::node_backoff;
use crate::rpc::nodes::Nodes;
use crate::settings::ChainRole as _;
use crate::{ChainSettings, IndexerError, Result};

/// Interval between two counts of the blocks of which nothing is proved.
const COUNTED_EVERY: Duration = Duration::from_secs(5);

/// Pause within a backlog if our indexer is the chain's writer: 4,000 events a second.
const BACKLOG_PAUSE: Duration = Duration::from_secs(1);

/// A chain that is being audited.
pub(super) struct AuditedChain {
    context: Arc<AuditContext>,
    branch: Branch,
    shutdown: CancellationToken,
    pulse: Pulse,
    backoff: Backoff,
    outage: Outage,
    pub(super) reporter: ProblemReporter,
    /// The highest block that was there when suspects were last woken.
    woken_up_to: Option<i64>,
    counted_at: Option<Instant>,
    checkpoint: Option<BlockName>,
    /// Begun once the nodes have answered.
    looking_for_contracts: Option<AbortOnDropHandle<()>>,
}

impl AuditedChain {
    pub(super) fn new(
        pool: &PgPool,
        settings: &Arc<ChainSettings>,
        shutdown: CancellationToken,
        pulse: Pulse,
    ) -> Result<Self> {
        let is_followed = settings.is_followed_by_the_auditor();
        let audited_by = if is_followed { Reader::Auditor } else { Reader::Indexer };
        let context = Arc::new(AuditContext {
            store: ChainStore::new(pool.clone(), settings, audited_by),
            settings: Arc::clone(settings),
            nodes: Arc::new(Nodes::new(settings)?),
        });
        Ok(Self {
            branch: Branch::new(Arc::clone(&context)),
            reporter: ProblemReporter::new(pool.clone(), settings.id, Reader::Auditor),
            context,
            shutdown,
            pulse,
            backoff: node_backoff(),
            outage: Outage::default(),
            woken_up_to: None,
            counted_at: None,
            checkpoint: None,
            looking_for_contracts: None,
        })
    }

    /// Audits the chain until shutdown. An error means that it has stopped.
    ///
    /// The shutdown may cut a round short anywhere, as a crash may.
    pub(super) async fn run(mut self) -> Result<()> {
        let shutdown = self.shutdown.clone();
        let watch = NodesWatch {
            nodes: Arc::clone(&self.context.nodes),
            reporter: self.reporter.clone(),
            board: None,
            chain: Arc::clone(&self.context.settings),
        };
        let _watching = watch.start();
        let ended = Box::pin(shutdown.run_until_cancelled(self.go_round())).await;
        ended.unwrap_or(Ok(()))
    }

    async fn go_round(&mut self) -> Result<()> {
        let mut poll = interval(self.context.settings.poll_interval);
        poll.set_missed_tick_behavior(MissedTickBehavior::Delay);
        measures::begin(self.context.store.id);
        loop {
            poll.tick().await;
            while let NextCycle::Now = self.cycle().await? {}
        }
    }

    /// A round; after a failure that does not stop the chain, a wait.
    async fn cycle(&mut self) -> Result<NextCycle> {
        self.pulse.send_replace(Instant::now());
        match self.round().await {
            Ok(next) => {
                self.backoff.reset();
                if self.outage.ends() {
                    tracing::info!(chain = self.context.store.name, "Auditing works again");
                }
                self.show(None);
                if self.context.settings.is_followed_by_the_auditor() {
                    let AuditContext { nodes, settings, .. } = &*self.context;
                    self.looking_for_contracts
                        .get_or_insert_with(|| look_for_contracts(nodes, settings));
                }
                self.reporter.report_ok().await;
                Ok(next)
            }
            Err(error) if error.stops_the_chain() => Err(error),
            Err(error) => {
                self.failed(&error);
                self.reporter.report_problem(&error).await;
                self.branch.unsure();
                self.checkpoint = None;
                tokio::time::sleep(self.backoff.next_wait()).await;
                Ok(NextCycle::Now)
            }
        }
    }

    fn failed(&mut self, error: &IndexerError) {
        if self.outage.begins_or_turns(error.may_need_a_reset()) {
            let (chain, problem) = (self.context.store.name.as_str(), error.to_string());
            tracing::warn!(chain, problem, "Auditing fails and is tried again");
        }
        self.show(Some(error.consequence()));
    }

    fn show(&self, problem: Option<ChainProblem>) {
        let states = [
            (measures::FAILING, problem == Some(ChainProblem::Failing)),
            (measures::STOPPED, problem == Some(ChainProblem::Stopped)),
        ];
        for (series, is_so) in states {
            measures::set(series, self.context.store.id, i64::from(is_so));
        }
    }

    async fn round(&mut self) -> Result<NextCycle> {
        let audited_by = self.context.store.reader;
        let (tip, is_at_head) = match audited_by {
            Reader::Auditor => self.branch.advance().await?,
            Reader::Indexer => (self.indexed().await?, true),
        };
        let Some(tip) = tip else { return Ok(NextCycle::AfterWait) };
        let is_drained = arrivals::compare(&self.context, &tip).await?;
        if is_drained && audited_by == Reader::Auditor {
            self.set_checkpoint(tip).await?;
            self.branch.keep_finality().await?;
        }
        self.count().await?;
        if !is_drained && audited_by == Reader::Indexer {
            tokio::time::sleep(BACKLOG_PAUSE).await;
        }
        Ok(if is_drained && is_at_head { NextCycle::AfterWait } else { NextCycle::Now })
    }

    /// The highest block that our indexer has stored.
    async fn indexed(&mut self) -> Result<Option<BlockName>> {
        let store = &self.context.store;
        let Some(tip) = store.latest().await? else { return Ok(None) };
        if self.woken_up_to == Some(tip.number) {
            return Ok(Some(tip));
        }
        let from = if let Some(before) = self.woken_up_to {
            before
        } else {
            let finalized = store.finalized().await?.map_or(0, |block| block.number);
            store.begin_audit(finalized).await?;
            finalized
        };
        store.asked(audit_suspects::wake(&store.pool, store.id, from..=tip.number)).await?;
        self.woken_up_to = Some(tip.number);
        Ok(Some(tip))
    }

    /// Sets the checkpoint: all events up to this block have been compared.
    async fn set_checkpoint(&mut self, tip: BlockName) -> Result<()> {
        if self.checkpoint.as_ref() != Some(&tip) {
            let store = &self.context.store;
            store.asked(audited_branch::set_checkpoint(&store.pool, store.id, &tip)).await?;
            measures::set(measures::BLOCK, store.id, tip.number);
            self.checkpoint = Some(tip);
        }
        Ok(())
    }

    async fn count(&mut self) -> Result<()> {
        if self.counted_at.is_some_and(|at| at.elapsed() < COUNTED_EVERY) {
            return Ok(());
        }
        self.counted_at = Some(Instant::now());
        let store = &self.context.store;
        let unproved = store.asked(audit_suspects::unproved(&store.pool)).await?;
        let of_chain = unproved.iter().find(|chain| chain.chain_id == store.id.0);
        let blocks = of_chain.map_or(0, |chain| chain.unknown + chain.above);
        measures::set(measures::UNPROVED, store.id, blocks);
        Ok(())
    }
}
