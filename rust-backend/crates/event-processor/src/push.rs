//! Hands the ids of new jobs to the queue, beside the judging and never in its way.

use event_engine::job::JobId;
use event_engine::port::JobQueue;
use service::outage::Outage;
use tokio::sync::mpsc;

use crate::measures;

/// Batches of ids that wait for the queue. Beyond it they are left to the sweep.
const BATCHES_WAITING_MAX: usize = 256;
/// Batches that go over together.
const BATCHES_AT_ONCE: usize = 32;

/// Where the judging leaves ids.
#[derive(Clone, Debug)]
pub struct Outlet(mpsc::Sender<Vec<JobId>>);

impl Outlet {
    /// Leaves ids to be pushed. Where too many wait already, they are left to the sweep.
    pub fn leave(&self, ids: Vec<JobId>) {
        let jobs = ids.len();
        if jobs > 0 && self.0.try_send(ids).is_err() {
            measures::left_to_sweep(jobs);
            tracing::debug!("The queue is slow; the sweep pushes these jobs");
        }
    }
}

/// An outlet, and the future that empties it until it is dropped and nothing is left.
pub fn outlet<Q: JobQueue>(queue: Q) -> (Outlet, impl Future<Output = ()> + Send) {
    let (sender, receiver) = mpsc::channel(BATCHES_WAITING_MAX);
    (Outlet(sender), empty(queue, receiver))
}

async fn empty<Q: JobQueue>(queue: Q, mut waiting: mpsc::Receiver<Vec<JobId>>) {
    let mut outage = Outage::default();
    let mut batches = Vec::with_capacity(BATCHES_AT_ONCE);
    while waiting.recv_many(&mut batches, BATCHES_AT_ONCE).await > 0 {
        let ids: Vec<JobId> = batches.drain(..).flatten().collect();
        match queue.push(&ids).await {
            Ok(()) if outage.ends() => tracing::info!("The queue answers again"),
            Ok(()) => {}
            Err(error) => {
                measures::left_to_sweep(ids.len());
                if outage.begins() {
                    tracing::warn!(%error, "The queue does not answer; judging goes on");
                }
            }
        }
    }
}
