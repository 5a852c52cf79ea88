//! Events whose writer only inserts, compared with the chain: events of a block that the nodes
//! prove replaced are invalidated.
//!
//! On a chain whose writer is the auditor, `branch` follows the headers from the finalized block
//! up, and remembers each: when one is replaced, the events that name it are invalidated, in one
//! transaction, and when it returns they are restored. On every chain that is ours, `arrivals`
//! reads the shard's log: each event that arrives is compared once, at any height, since a writer
//! may be late. A block that an event names and the chain does not have goes to `suspect`.
//!
//! **Proof** is that the chain has another block at the height, and that this one was there before
//! or is on a branch aside: it is remembered as orphaned, or a node gives its header with that
//! height. With two or more nodes configured, two have to say so. A block that no node knows is
//! logged, and its events stay: the hash may be a typing error.

mod arrivals;
mod branch;
mod chain;
mod context;
mod late;
mod measures;
mod suspect;

use std::sync::Arc;
use std::time::Instant;

use event_store::PgPool;
use service::health::Heartbeat;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use self::chain::AuditedChain;
use crate::settings::ChainRole as _;
use crate::supervise::{ChainTasks, SILENCE_MAX};
use crate::{ChainSettings, Result};

/// Audits chains until it is told to stop. Any number of them may run at once.
pub struct Auditor {
    /// Connections to the database; each chain uses one at a time.
    pub pool: PgPool,
    /// The chains; those that are not ours to audit are left out.
    pub chains: Vec<ChainSettings>,
    /// Beats as long as the task of every chain lives that has not stopped.
    pub heartbeat: Heartbeat,
}

/// The time of a chain's latest cycle; dropped with the chain's task, however that ends.
type Pulse = watch::Sender<Instant>;

impl Auditor {
    /// Runs until `shutdown`. A chain that stops does not stop the others.
    ///
    /// # Errors
    /// The settings cannot work: then nothing is begun. Or all chains have stopped: then the first
    /// one's reason.
    pub async fn run(self, shutdown: CancellationToken) -> Result<()> {
        measures::describe();
        let mut tasks = ChainTasks::default();
        let mut pulses = Vec::new();
        for settings in self.chains.iter().filter(|chain| chain.is_audited()) {
            let settings = Arc::new(settings.clone());
            let (pulse, beats) = watch::channel(Instant::now());
            pulses.push(beats);
            let chain = AuditedChain::new(&self.pool, &settings, shutdown.clone(), pulse)?;
            tasks.spawn(settings, chain.reporter.clone(), chain.run());
        }
        self.heartbeat.ready();
        let ended = tasks
            .supervise(
                || {
                    let lives = |pulse: &watch::Receiver<Instant>| {
                        pulse.has_changed().is_err() || pulse.borrow().elapsed() < SILENCE_MAX
                    };
                    if pulses.iter().all(lives) {
                        self.heartbeat.beat();
                    }
                },
                |settings, error| {
                    measures::set(measures::STOPPED, settings.id, 1);
                    let problem = error.to_string();
                    tracing::error!(problem, "A chain is audited no further");
                },
            )
            .await;
        self.heartbeat.retire();
        ended
    }
}
