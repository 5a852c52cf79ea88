//! Code under test that runs as a task, until it is told to end.

use std::time::Duration;

use chain_indexer::IndexerError;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// Longer than anything here takes, on a machine that does many other things.
pub(crate) const PATIENCE: Duration = Duration::from_mins(2);

pub(crate) struct Running {
    shutdown: CancellationToken,
    task: JoinHandle<Result<(), IndexerError>>,
}

impl Running {
    /// Starts what runs until the token that it is given is cancelled.
    pub(crate) fn start<F>(run: impl FnOnce(CancellationToken) -> F) -> Self
    where
        F: Future<Output = Result<(), IndexerError>> + Send + 'static,
    {
        let shutdown = CancellationToken::new();
        let task = tokio::spawn(run(shutdown.clone()));
        Self { shutdown, task }
    }

    /// Ends it as a signal does.
    pub(crate) async fn stop(self) {
        self.shutdown.cancel();
        self.ended().await.expect("an orderly end");
    }

    /// Waits until it has ended by itself.
    pub(crate) async fn ended(self) -> Result<(), IndexerError> {
        let ended = tokio::time::timeout(PATIENCE, self.task).await;
        ended.expect("an end").expect("no panic")
    }

    /// Ends it wherever it stands, as a crash does.
    pub(crate) async fn crash(self) {
        self.task.abort();
        // Cancelled, or it had ended.
        let _ = self.task.await;
    }
}
