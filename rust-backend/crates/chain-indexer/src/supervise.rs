//! The tasks of several chains, watched until all have ended.

use std::panic::{AssertUnwindSafe, resume_unwind};
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt as _;
use tokio::task::JoinSet;
use tokio::time::interval;

use crate::health::problem::ProblemReporter;
use crate::{ChainSettings, IndexerError, Result};

/// Interval between two looks at the tasks.
const TICK: Duration = Duration::from_secs(1);
/// A task that shows no sign of life for longer is stuck: three requests that run into their
/// time-outs take a minute, and the longest wait until the next try is another.
pub(crate) const SILENCE_MAX: Duration = Duration::from_mins(3);

/// The tasks, each with its chain.
#[derive(Default)]
pub(crate) struct ChainTasks {
    tasks: JoinSet<(Arc<ChainSettings>, Result<()>)>,
}

impl ChainTasks {
    /// Runs the task, and reports its end to the database, a panic included.
    pub(crate) fn spawn(
        &mut self,
        settings: Arc<ChainSettings>,
        reporter: ProblemReporter,
        task: impl Future<Output = Result<()>> + Send + 'static,
    ) {
        self.tasks.spawn(async move {
            let ended = AssertUnwindSafe(task)
                .catch_unwind()
                .await
                .unwrap_or_else(|_| Err(IndexerError::Panicked { chain: settings.name.clone() }));
            match &ended {
                Ok(()) => reporter.report_ok().await,
                Err(error) => reporter.report_problem(error).await,
            }
            (settings, ended)
        });
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
                ended = self.tasks.join_next() => ended,
                _ = ticks.tick() => {
                    tick();
                    continue;
                }
            };
            let Some(ended) = ended else { break };
            let (chain, ended) = ended.unwrap_or_else(|error| resume_unwind(error.into_panic()));
            match ended {
                Ok(()) => ended_by_shutdown = true,
                Err(error) => {
                    stopped(&chain, &error);
                    first_stop.get_or_insert(error);
                }
            }
        }
        first_stop.filter(|_| !ended_by_shutdown).map_or(Ok(()), Err)
    }
}

#[cfg(test)]
mod tests {
    use event_engine::event::ChainId;
    use event_store::chain::chain_readers::{self, Reader};
    use parking_lot::Mutex;
    use private_servers::Postgres;

    use super::*;
    use crate::settings;

    fn settings(name: &str, id: i64) -> Arc<ChainSettings> {
        Arc::new(settings::of_test(name, ChainId(id)))
    }

    #[tokio::test]
    async fn a_chain_whose_task_panics_is_reported_as_stopped() {
        let server = Postgres::for_test().expect("a private PostgreSQL");
        let pool = event_store::connect(&server.url(), "test", 2).await.expect("a connection");
        event_store::connection::migrations::migrate(&pool).await.expect("the schema");
        let mut tasks = ChainTasks::default();
        let reporter = |id| ProblemReporter::new(pool.clone(), ChainId(id), Reader::Auditor);
        tasks.spawn(settings("healthy", 1), reporter(1), async { Ok(()) });
        tasks.spawn(settings("broken", 2), reporter(2), async { panic!("a bug") });
        let stopped = Mutex::new(Vec::new());
        let ended = tasks
            .supervise(|| {}, |chain, error| stopped.lock().push((chain.id.0, error.to_string())))
            .await;
        ended.expect("the healthy chain's orderly end");
        let sentence = "chain \"broken\": its task panicked";
        assert_eq!(*stopped.lock(), [(2, sentence.to_owned())]);
        let unread = chain_readers::unread(&pool).await.expect("problems");
        let unread: Vec<_> = unread
            .iter()
            .map(|it| (it.chain_id, it.reader.as_str(), it.state.as_str(), it.problem.as_str()))
            .collect();
        assert_eq!(unread, [(2, "auditor", "stopped", sentence)]);
    }
}
