//! Pushes the ids of new jobs to the queue, beside the judging and never delaying it.

use event_engine::job::JobId;
use event_engine::port::JobQueue;
use service::outage::Outage;
use tokio::sync::mpsc;

use crate::measures;

/// Batches of ids that wait for the queue. Beyond it they are left to the sweep.
const BATCHES_WAITING_MAX: usize = 256;
/// Batches pushed together.
const BATCHES_AT_ONCE: usize = 32;

/// The judging's end of the queue. Clones share it.
#[derive(Clone, Debug)]
pub struct QueuePusher(mpsc::Sender<Vec<JobId>>);

impl QueuePusher {
    /// A pusher, and the future that pushes until the pusher is dropped and all its ids are pushed.
    pub fn new<Q: JobQueue>(queue: Q) -> (Self, impl Future<Output = ()> + Send) {
        let (sender, receiver) = mpsc::channel(BATCHES_WAITING_MAX);
        (Self(sender), push(queue, receiver))
    }

    /// Enqueues ids to be pushed. If too many wait already, leaves them to the sweep.
    pub fn enqueue(&self, ids: Vec<JobId>) {
        let jobs = ids.len();
        if jobs > 0 && self.0.try_send(ids).is_err() {
            measures::left_to_sweep(jobs);
            tracing::debug!("The queue is slow; the sweep pushes these jobs");
        }
    }
}

async fn push<Q: JobQueue>(queue: Q, mut waiting: mpsc::Receiver<Vec<JobId>>) {
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
