//! Events whose writer only inserts, compared with the chain: what its nodes prove to be replaced
//! is taken back.
//!
//! On a chain whose writer is the auditor, `branch` follows the headers from the finalized block
//! up, and remembers each: where one is replaced, the events that name it are taken back, in one
//! transaction, and where it returns they come back. On every chain that is ours, `arrivals` reads
//! the shard's log: each event that arrives is compared once, at whatever height, since a writer
//! may be late. What names a block that the chain does not have is looked at by `suspect`.
//!
//! **Proof** is that the chain has another block at the height, and that this one was there before
//! or stands aside: it is remembered as orphaned, or a node gives its header with that height.
//! Where two nodes or more are configured, two have to say so. A block that no node knows is told,
//! and left alone: somebody may have typed it.

mod arrivals;
mod branch;
mod chain;
mod context;
mod late;
mod measures;
mod suspect;

use std::sync::Arc;
use std::time::{Duration, Instant};

use event_store::PgPool;
use service::health::Heartbeat;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::interval;
use tokio_util::sync::CancellationToken;

use self::chain::AuditedChain;
use crate::rpc::node::Nodes;
use crate::settings::ChainRole as _;
use crate::{ChainSettings, IndexerError, Result};

/// How often the tasks are looked after.
const LOOK_AFTER: Duration = Duration::from_secs(1);
/// A task that shows no sign of life for longer is stuck: its nodes run into their time-outs.
const SILENCE_MAX: Duration = Duration::from_mins(3);

/// Audits chains until it is told to stop. Any number of them may run at once.
pub struct Auditor {
    /// Connections to the database; each chain uses one at a time.
    pub pool: PgPool,
    /// The chains; those that are not ours to audit are left out.
    pub chains: Vec<ChainSettings>,
    /// Beats as long as the task of every chain lives that has not stopped.
    pub heartbeat: Heartbeat,
}

/// When a chain's task last went round; nothing once it has stopped.
type Pulse = watch::Sender<Option<Instant>>;

impl Auditor {
    /// Runs until `shutdown`. A chain that stops does not stop the others.
    ///
    /// # Errors
    /// The settings cannot work: then nothing is begun. Or all chains have stopped: then the first
    /// one's reason.
    pub async fn run(self, shutdown: CancellationToken) -> Result<()> {
        measures::describe();
        let audited = self.chains.iter().filter(|chain| chain.is_audited());
        let mut tasks = JoinSet::new();
        let mut pulses = Vec::new();
        for settings in audited {
            let pulse = Arc::new(watch::Sender::new(Some(Instant::now())));
            pulses.push(Arc::clone(&pulse));
            let chain = self.chain(settings, &shutdown, pulse)?;
            tasks.spawn(chain.run());
        }
        let ended = self.look_after(tasks, &pulses, &shutdown).await;
        self.heartbeat.retire();
        ended
    }

    fn chain(
        &self,
        settings: &ChainSettings,
        shutdown: &CancellationToken,
        pulse: Arc<Pulse>,
    ) -> Result<AuditedChain> {
        let nodes = Arc::new(Nodes::new(settings)?);
        Ok(AuditedChain::new(self.pool.clone(), settings.clone(), nodes, shutdown.clone(), pulse))
    }

    async fn look_after(
        &self,
        mut tasks: JoinSet<Result<()>>,
        pulses: &[Arc<Pulse>],
        shutdown: &CancellationToken,
    ) -> Result<()> {
        let mut tick = interval(LOOK_AFTER);
        let mut first_stop = None;
        self.heartbeat.ready();
        loop {
            let ended = tokio::select! {
                ended = tasks.join_next() => ended,
                _ = tick.tick() => {
                    let lives = |pulse: &Arc<Pulse>| {
                        pulse.borrow().is_none_or(|at| at.elapsed() < SILENCE_MAX)
                    };
                    if pulses.iter().all(lives) {
                        self.heartbeat.beat();
                    }
                    continue;
                }
            };
            let error = match ended {
                None => break,
                Some(Ok(Ok(()))) => continue,
                Some(Ok(Err(error))) => error,
                Some(Err(_panic)) => IndexerError::Panicked { chain: "of the auditor".to_owned() },
            };
            let problem = error.to_string();
            tracing::error!(problem, "A chain is audited no further");
            first_stop.get_or_insert(error);
        }
        match first_stop {
            Some(error) if !shutdown.is_cancelled() => Err(error),
            _ => Ok(()),
        }
    }
}
