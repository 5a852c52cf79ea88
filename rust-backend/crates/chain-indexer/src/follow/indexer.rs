//! All chains, one task each, and an eye on whether they live.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use event_store::PgPool;
use event_store::chain::chain_readers::Reader;
use service::health::Heartbeat;
use service::outage::Outage;
use tokio::task::{Id, JoinError, JoinSet};
use tokio::time::interval;
use tokio_util::sync::CancellationToken;

use crate::branch::ancestry::Ancestry;
use crate::decode::unknown_logs::UnknownLogs;
use crate::follow::chain::Chain;
use crate::follow::finality::Finality;
use crate::health::measures;
use crate::health::problem::ProblemReporter;
use crate::health::status::{ChainState, StatusBoard};
use crate::rpc::node::Nodes;
use crate::rpc::node_backoff;
use crate::{ChainSettings, IndexerError, Result};

/// How often the tasks are looked after.
const LOOK_AFTER: Duration = Duration::from_secs(1);
/// A task that shows no sign of life for longer is stuck: a node that lets three requests run into
/// their time-outs takes a minute, the longest wait until the next another.
const SILENCE_MAX: Duration = Duration::from_mins(3);

/// Indexes chains into the store until it is told to stop.
pub struct Indexer {
    /// Connections to the database; each chain uses one at a time.
    pub pool: PgPool,
    /// The chains.
    pub chains: Vec<ChainSettings>,
    /// Shows how they do; made by [`StatusBoard::new`] from the same chains.
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
        let chains = chains.collect::<Result<Vec<Chain>>>()?;
        let mut tasks = JoinSet::new();
        let mut names = HashMap::new();
        for chain in chains {
            let settings = Arc::clone(&chain.settings);
            names.insert(tasks.spawn(chain.run()).id(), settings);
        }
        let ended = self.look_after(tasks, &names).await;
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
            finality: Finality::new(settings.finality_depth),
            head: None,
            catching_up: false,
            outage: Outage::default(),
            reporter: ProblemReporter::new(self.pool.clone(), settings.id, Reader::Indexer),
        })
    }

    /// Until all tasks have ended.
    async fn look_after(
        &self,
        mut tasks: JoinSet<Result<()>>,
        settings_of: &HashMap<Id, Arc<ChainSettings>>,
    ) -> Result<()> {
        let mut tick = interval(LOOK_AFTER);
        let mut first_stop = None;
        let mut ended_by_shutdown = false;
        loop {
            let ended = tokio::select! {
                ended = tasks.join_next_with_id() => ended,
                _ = tick.tick() => {
                    self.beat();
                    continue;
                }
            };
            match ended.map(|ended| outcome(ended, settings_of)) {
                None => break,
                Some((_, Ok(()))) => ended_by_shutdown = true,
                Some((settings, Err(error))) => {
                    self.say_stopped(settings, &error);
                    first_stop.get_or_insert(error);
                }
            }
        }
        match first_stop {
            Some(error) if !ended_by_shutdown => Err(error),
            _ => Ok(()),
        }
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

    fn say_stopped(&self, settings: &ChainSettings, error: &IndexerError) {
        let problem = error.to_string();
        tracing::error!(problem, "A chain is indexed no further");
        self.board.update(settings.id, |status| status.state = ChainState::Stopped { problem });
    }
}

/// Whose task it was, and how it ended.
fn outcome(
    ended: Result<(Id, Result<()>), JoinError>,
    settings_of: &HashMap<Id, Arc<ChainSettings>>,
) -> (&ChainSettings, Result<()>) {
    match ended {
        Ok((id, result)) => (&settings_of[&id], result),
        Err(panic) => {
            let settings = &settings_of[&panic.id()];
            (settings, Err(IndexerError::Panicked { chain: settings.name.clone() }))
        }
    }
}
