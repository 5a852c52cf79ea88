//! The tasks of several chains, watched until all have ended.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::interval;

use crate::{ChainSettings, IndexerError, Result};

/// Interval between two looks at the tasks.
const TICK: Duration = Duration::from_secs(1);
/// A task that shows no sign of life for longer is stuck: three requests that run into their
/// time-outs take a minute, and the longest wait until the next try is another.
pub(crate) const SILENCE_MAX: Duration = Duration::from_mins(3);

/// The tasks, each with its chain.
#[derive(Default)]
pub(crate) struct ChainTasks {
    tasks: JoinSet<Result<()>>,
    chains: HashMap<tokio::task::Id, Arc<ChainSettings>>,
}

impl ChainTasks {
    pub(crate) fn spawn(
        &mut self,
        settings: Arc<ChainSettings>,
        task: impl Future<Output = Result<()>> + Send + 'static,
    ) {
        self.chains.insert(self.tasks.spawn(task).id(), settings);
    }

    /// Waits until all tasks have ended, and calls `tick` each second and `stopped` for each chain
    /// that stops. A chain that stops does not stop the others.
    ///
    /// # Errors
    /// All chains have stopped before a shutdown: the first one's reason.
    pub(crate) async fn supervise(
        mut self,
        tick: impl Fn(),
        stopped: impl Fn(&ChainSettings, &IndexerError),
    ) -> Result<()> {
        let mut ticks = interval(TICK);
        let mut first_stop = None;
        let mut ended_by_shutdown = false;
        loop {
            let ended = tokio::select! {
                ended = self.tasks.join_next_with_id() => ended,
                _ = ticks.tick() => {
                    tick();
                    continue;
                }
            };
            let (chain, error) = match ended {
                None => break,
                Some(Ok((_, Ok(())))) => {
                    ended_by_shutdown = true;
                    continue;
                }
                Some(Ok((id, Err(error)))) => (&self.chains[&id], error),
                Some(Err(panic)) => {
                    let settings = &self.chains[&panic.id()];
                    (settings, IndexerError::Panicked { chain: settings.name.clone() })
                }
            };
            stopped(chain, &error);
            first_stop.get_or_insert(error);
        }
        first_stop.filter(|_| !ended_by_shutdown).map_or(Ok(()), Err)
    }
}
