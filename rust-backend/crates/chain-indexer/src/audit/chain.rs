//! The loop of one audited chain: wait → follow its head → compare what has arrived → repeat.

use std::sync::Arc;
use std::time::{Duration, Instant};

use event_store::PgPool;
use event_store::chain::chain_readers::ChainProblem;
use event_store::chain::chain_readers::Reader;
use event_store::chain::observed_blocks::{self, BlockName};
use event_store::chain::{audit_cursors, audit_suspects, audited_branch};
use service::backoff::Backoff;
use service::outage::Outage;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use super::context::AuditContext;
use super::{Pulse, arrivals, branch::Branch, measures};
use crate::health::problem::ProblemReporter;
use crate::rpc::node::Nodes;
use crate::rpc::node_backoff;
use crate::settings::ChainRole as _;
use crate::{ChainSettings, Result};

/// How often it is counted what nothing is proved of.
const COUNTED_EVERY: Duration = Duration::from_secs(5);

/// Between two looks at a backlog where our indexer is the chain's writer: 4,000 events a second.
const BACKLOG_PAUSE: Duration = Duration::from_secs(1);

/// One chain on its way.
pub(super) struct AuditedChain {
    context: AuditContext,
    branch: Branch,
    shutdown: CancellationToken,
    pulse: Arc<Pulse>,
    backoff: Backoff,
    outage: Outage,
    reporter: ProblemReporter,
    /// The highest block that was there when suspects were last woken.
    woken_up_to: Option<i64>,
    counted_at: Option<Instant>,
    checkpoint: Option<BlockName>,
}

/// What a round leaves to do.
enum Next {
    More,
    Wait,
}

impl AuditedChain {
    pub(super) fn new(
        pool: PgPool,
        settings: ChainSettings,
        nodes: Arc<Nodes>,
        shutdown: CancellationToken,
        pulse: Arc<Pulse>,
    ) -> Self {
        Self {
            branch: Branch::new(pool.clone(), settings.clone(), Arc::clone(&nodes)),
            reporter: ProblemReporter::new(pool.clone(), settings.id, Reader::Auditor),
            context: AuditContext { audited_by: settings.audited_by(), pool, settings, nodes },
            shutdown,
            pulse,
            backoff: node_backoff(),
            outage: Outage::default(),
            woken_up_to: None,
            counted_at: None,
            checkpoint: None,
        }
    }

    /// Audits the chain until shutdown. An error means that it has stopped.
    ///
    /// The shutdown may cut a round short anywhere, as a crash may.
    pub(super) async fn run(mut self) -> Result<()> {
        let (shutdown, nodes) = (self.shutdown.clone(), Arc::clone(&self.context.nodes));
        let _verifying =
            AbortOnDropHandle::new(tokio::spawn(async move { nodes.verify_others().await }));
        let ended = Box::pin(shutdown.run_until_cancelled(self.go_round())).await;
        let ended = ended.unwrap_or(Ok(()));
        self.pulse.send_replace(None);
        measures::stopped(self.context.settings.id, ended.is_err());
        match &ended {
            Ok(()) => self.reporter.report_ok().await,
            Err(error) => self.reporter.report_problem(ChainProblem::Stopped, error).await,
        }
        ended
    }

    async fn go_round(&mut self) -> Result<()> {
        let mut poll = interval(self.context.settings.poll_interval);
        poll.set_missed_tick_behavior(MissedTickBehavior::Delay);
        measures::begin(self.context.settings.id);
        loop {
            poll.tick().await;
            while let Next::More = self.cycle().await? {}
        }
    }

    /// A round, and what its end means: a failure is waited out, unless it stops the chain.
    async fn cycle(&mut self) -> Result<Next> {
        self.pulse.send_replace(Some(Instant::now()));
        match self.round().await {
            Ok(next) => {
                self.backoff.reset();
                if self.outage.ends() {
                    tracing::info!(chain = self.context.settings.name, "Auditing works again");
                }
                measures::failing(self.context.settings.id, false);
                self.reporter.report_ok().await;
                Ok(next)
            }
            Err(error) if error.stops_the_chain() => Err(error),
            Err(error) => {
                if self.outage.begins() {
                    let (chain, problem) = (self.context.settings.name.as_str(), error.to_string());
                    tracing::warn!(chain, problem, "Auditing fails and is tried again");
                }
                measures::failing(self.context.settings.id, true);
                self.reporter.report_problem(ChainProblem::Failing, &error).await;
                self.branch.unsure();
                self.checkpoint = None;
                tokio::time::sleep(self.backoff.next_wait()).await;
                Ok(Next::More)
            }
        }
    }

    async fn round(&mut self) -> Result<Next> {
        let (tip, is_at_head) = match self.context.audited_by {
            Reader::Auditor => self.branch.advance().await?,
            Reader::Indexer => (self.indexed().await?, true),
        };
        let Some(tip) = tip else { return Ok(Next::Wait) };
        let is_drained = arrivals::compare(&self.context, &tip).await?;
        if is_drained && self.context.audited_by == Reader::Auditor {
            self.set_checkpoint(tip).await?;
            self.branch.keep_finality().await?;
        }
        self.count().await?;
        if !is_drained && self.context.audited_by == Reader::Indexer {
            tokio::time::sleep(BACKLOG_PAUSE).await;
        }
        Ok(if is_drained && is_at_head { Next::Wait } else { Next::More })
    }

    /// The highest block that our indexer has stored.
    async fn indexed(&mut self) -> Result<Option<BlockName>> {
        let (pool, id) = (&self.context.pool, self.context.settings.id);
        let latest = self.context.asked(observed_blocks::latest(pool, id, Reader::Indexer)).await?;
        let Some(tip) = latest else { return Ok(None) };
        if self.woken_up_to == Some(tip.number) {
            return Ok(Some(tip));
        }
        let from = if let Some(before) = self.woken_up_to {
            before
        } else {
            let finalized = self.context.finalized().await?.map_or(0, |block| block.number);
            self.context.asked(audit_cursors::begin(pool, id, finalized)).await?;
            finalized
        };
        self.context.asked(audit_suspects::wake(pool, id, from..=tip.number)).await?;
        self.woken_up_to = Some(tip.number);
        Ok(Some(tip))
    }

    /// Everything that is stored up to this block has been compared.
    async fn set_checkpoint(&mut self, tip: BlockName) -> Result<()> {
        if self.checkpoint.as_ref() != Some(&tip) {
            let (pool, id) = (&self.context.pool, self.context.settings.id);
            self.context.asked(Box::pin(audited_branch::set_checkpoint(pool, id, &tip))).await?;
            measures::audited(id, tip.number);
            self.checkpoint = Some(tip);
        }
        Ok(())
    }

    async fn count(&mut self) -> Result<()> {
        if self.counted_at.is_some_and(|at| at.elapsed() < COUNTED_EVERY) {
            return Ok(());
        }
        self.counted_at = Some(Instant::now());
        let id = self.context.settings.id;
        let unproved = self.context.asked(audit_suspects::unproved(&self.context.pool)).await?;
        let of_chain = unproved.iter().find(|chain| chain.chain_id == id.0);
        measures::unproved(id, of_chain.map_or(0, |chain| chain.unknown + chain.above));
        Ok(())
    }
}
