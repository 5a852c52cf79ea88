//! Records attempts in batches: one transaction for whatever has ended meanwhile.

use std::collections::BTreeMap;
use std::time::Duration;

use event_engine::delivery::lease::{AttemptRecord, Disposition, Lease};
use event_engine::port::Leases;
use service::backoff::Backoff;
use tokio::sync::mpsc;

use crate::desk::HeldJobs;
use crate::measures;

/// Attempts in one transaction.
const BATCH_MAX: usize = 256;
/// The first wait between two tries while PostgreSQL is away, and the longest.
const RETRY_MIN: Duration = Duration::from_millis(50);
const RETRY_MAX: Duration = Duration::from_secs(2);

/// What became of a lease.
#[derive(Debug)]
pub(crate) enum LeaseEnd {
    /// An attempt was made.
    Made(AttemptRecord),
    /// The lease is given back until this time has passed, and nothing is counted.
    GivenBack(Lease, Duration),
}

/// Records what comes in until the last sender is gone. Does not give an attempt up: its lease may
/// run out meanwhile, and then the receiver sees the same id twice.
pub(crate) async fn record<L: Leases>(
    leases: L,
    holder: String,
    held: HeldJobs,
    mut ended: mpsc::Receiver<LeaseEnd>,
) {
    let mut batch = Vec::with_capacity(BATCH_MAX);
    while ended.recv_many(&mut batch, BATCH_MAX).await > 0 {
        let (mut made, mut back) = (Vec::new(), Vec::new());
        for ended in batch.drain(..) {
            match ended {
                LeaseEnd::Made(attempt) => made.push(attempt),
                LeaseEnd::GivenBack(lease, wait) => back.push((lease, wait)),
            }
        }
        if !made.is_empty() {
            let count = made.len();
            persist(count, "Attempts not recorded; trying again", || leases.finish(&holder, &made))
                .await;
            tell(&made);
            held.end(made.iter().map(|attempt| attempt.lease.id));
        }
        if !back.is_empty() {
            let count = back.len();
            persist(count, "Leases not given back; trying again", || {
                leases.give_back(&holder, &back)
            })
            .await;
            held.end(back.iter().map(|(lease, _)| lease.id));
        }
    }
}

/// Counts recorded attempts, and tells of the jobs that they ended.
pub(crate) fn tell(made: &[AttemptRecord]) {
    measures::recorded(made);
    tell_dead(made);
}

/// Tells of the jobs that will not be tried again. One line for all of a batch that are of one
/// action: a receiver that is gone ends many at once.
fn tell_dead(made: &[AttemptRecord]) {
    let mut dead: BTreeMap<_, (&AttemptRecord, &str, usize)> = BTreeMap::new();
    for record in made {
        if let Disposition::Dead(reason) = &record.disposition {
            let action = (record.lease.trigger.0.0, record.lease.action.0.as_str());
            dead.entry(action).or_insert((record, reason, 0)).2 += 1;
        }
    }
    for ((trigger, action), (AttemptRecord { lease, attempt, .. }, reason, jobs)) in dead {
        let (job, error, others) = (lease.id, attempt.error.as_deref(), jobs - 1);
        tracing::warn!(%job, %trigger, action, reason, error, others, "A job is dead");
    }
}

/// Asks until it is done.
async fn persist<E, F>(count: usize, sentence: &str, mut ask: impl FnMut() -> F)
where
    E: std::fmt::Display,
    F: Future<Output = Result<(), E>>,
{
    let mut backoff = Backoff::new(RETRY_MIN, RETRY_MAX);
    while let Err(error) = ask().await {
        tracing::error!(%error, count, "{sentence}");
        tokio::time::sleep(backoff.next_wait()).await;
    }
}
