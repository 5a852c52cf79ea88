//! All indexed chains, one task each.

use std::sync::Arc;

use event_store::PgPool;
use event_store::chain::chain_readers::Reader;
use service::health::Heartbeat;
use service::outage::Outage;
use tokio_util::sync::CancellationToken;

use crate::branch::ancestry::Ancestry;
use crate::branch::lower_head::LowerHead;
use crate::decode::unknown_logs::UnknownLogs;
use crate::follow::chain::Chain;
use crate::follow::finality::FinalityTracker;
use crate::health::measures;
use crate::health::problem::ProblemReporter;
use crate::health::status::{ChainState, StatusBoard};
use crate::rpc::node_backoff;
use crate::rpc::nodes::Nodes;
use crate::supervise::{ChainTasks, SILENCE_MAX};
use crate::{ChainSettings, Result};

/// Indexes chains into the store until it is told to stop.
pub struct Indexer {
    /// Connections to the database; each chain uses one at a time.
    pub pool: PgPool,
    /// The chains.
    pub chains: Vec<ChainSettings>,
    /// Their status; made by [`StatusBoard::new`] from the same chains.
    pub board: StatusBoard,
    /// Beats as long as the task of every chain lives that has not stopped; ready once each has
    /// been tried.
    pub heartbeat: Heartbeat,
}

impl Indexer {
    /// Runs until `shutdown`; then each chain finishes the transaction under way.
    ///
    /// A chain that stops (its node belongs to another chain, or replaces finalized blocks) does
    /// not stop the others.
    ///
    /// # Errors
    /// The settings cannot work: then nothing is begun. Or all chains have stopped: then the first
    /// one's reason.
    pub async fn run(self, shutdown: CancellationToken) -> Result<()> {
        measures::describe();
        let chains = self.chains.iter().map(|settings| self.chain(settings, &shutdown));
        let mut tasks = ChainTasks::default();
        for chain in chains.collect::<Result<Vec<Chain>>>()? {
            tasks.spawn(Arc::clone(&chain.settings), chain.reporter.clone(), chain.run());
        }
        let ended = tasks
            .supervise(
                || self.beat(),
                |settings, error| {
                    let problem = error.to_string();
                    tracing::error!(problem, "A chain is indexed no further");
                    let stopped = ChainState::Stopped { problem };
                    self.board.update(settings.id, |status| status.state = stopped);
                },
            )
            .await;
        self.heartbeat.retire();
        ended
    }

    fn chain(&self, settings: &ChainSettings, shutdown: &CancellationToken) -> Result<Chain> {
        Ok(Chain {
            nodes: Arc::new(Nodes::new(settings)?),
            ancestry: Ancestry::new(self.pool.clone(), settings),
            settings: Arc::new(settings.clone()),
            board: self.board.clone(),
            shutdown: shutdown.clone(),
            backoff: node_backoff(),
            unknown_logs: UnknownLogs::default(),
            finality: FinalityTracker::new(settings.finality_depth),
            lower_head: LowerHead::default(),
            head: None,
            catching_up: false,
            looking_for_contracts: None,
            outage: Outage::default(),
            reporter: ProblemReporter::new(self.pool.clone(), settings.id, Reader::Indexer),
        })
    }

    fn beat(&self) {
        let chains = self.board.snapshot();
        measures::show(&chains);
        let stopped = |state: &ChainState| matches!(state, ChainState::Stopped { .. });
        if chains.iter().all(|c| stopped(&c.state) || c.alive_at.elapsed() < SILENCE_MAX) {
            self.heartbeat.beat();
        }
        if chains.iter().all(|chain| chain.state != ChainState::Starting) {
            self.heartbeat.ready();
        }
    }
}
