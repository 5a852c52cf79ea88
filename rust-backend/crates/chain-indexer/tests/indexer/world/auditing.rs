//! The auditor, running.

use std::time::Duration;

use chain_indexer::{Auditor, ChainSettings, IndexerError};
use event_store::PgPool;
use service::health::Health;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// Longer than anything here takes, on a machine that does many other things.
const PATIENCE: Duration = Duration::from_mins(1);

pub(crate) struct Auditing {
    shutdown: CancellationToken,
    task: JoinHandle<Result<(), IndexerError>>,
}

impl Auditing {
    pub(crate) fn start(pool: &PgPool, chains: Vec<ChainSettings>) -> Self {
        let shutdown = CancellationToken::new();
        let heartbeat = Health::new().register("test", PATIENCE);
        let auditor = Auditor { pool: pool.clone(), chains, heartbeat };
        let task = tokio::spawn(auditor.run(shutdown.clone()));
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
