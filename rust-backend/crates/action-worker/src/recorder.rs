//! Records attempts in batches: one transaction for whatever has ended meanwhile.

use std::time::Duration;

use event_engine::lease::Attempt;
use event_engine::port::Leases;
use tokio::sync::mpsc;

use crate::measures;

/// Attempts in one transaction.
const BATCH_MAX: usize = 256;
/// The longest wait between two tries while PostgreSQL is away.
const RETRY_MAX: Duration = Duration::from_secs(2);

/// Records what comes in until the last sender is gone. Does not give an attempt up: its lease may
/// run out meanwhile, and then the receiver sees the same id twice.
pub(crate) async fn record<L: Leases>(
    leases: L,
    holder: String,
    mut ended: mpsc::Receiver<Attempt>,
) {
    let mut batch = Vec::with_capacity(BATCH_MAX);
    while ended.recv_many(&mut batch, BATCH_MAX).await > 0 {
        let mut wait = Duration::from_millis(50);
        while let Err(error) = leases.finish(&holder, &batch).await {
            tracing::error!(%error, attempts = batch.len(), "Attempts not recorded; trying again");
            tokio::time::sleep(wait).await;
            wait = (wait * 2).min(RETRY_MAX);
        }
        measures::recorded(&batch);
        batch.clear();
    }
}
