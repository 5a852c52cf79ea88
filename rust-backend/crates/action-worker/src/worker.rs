//! A worker: the desk, the recorder and the sweep, together.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use event_engine::delivery::lease::Released;
use event_engine::delivery::retry::RetrySchedule;
use event_engine::port::{Inbox, JobQueue, Leases};
use service::health::Heartbeat;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::act::{Acting, Jitter, Performer, Retries};
use crate::desk::{Desk, HeldJobs};
use crate::destinations::PLACES;
use crate::measures;
use crate::recorder;
use crate::shortage::Shortage;
use crate::sweep::Sweep;

/// To take our name out of the queue at the end. If it stays, another worker removes it.
const LEAVE_MAX: Duration = Duration::from_secs(2);

/// Acts on jobs until it is told to stop.
pub struct Worker<L, Q, I, P> {
    /// Where jobs are leased.
    pub leases: L,
    /// Where the sweep hands ids over.
    pub queue: Q,
    /// Where ids come from.
    pub inbox: I,
    /// The same for the sweep, which must not wait while the other reads.
    pub inbox_of_sweep: I,
    /// Who makes the attempts.
    pub performer: P,
    /// Names this worker among others.
    pub name: String,
    /// When a failed attempt is repeated.
    pub schedule: RetrySchedule,
    /// How far apart what failed together returns.
    pub jitter: Jitter,
    /// Shows that the loop turns.
    pub heartbeat: Heartbeat,
    /// How long attempts under way may take to end after `shutdown`.
    pub grace: Duration,
}

impl<L: Leases, Q: JobQueue, I: Inbox, P: Performer> Worker<L, Q, I, P> {
    /// Runs until `shutdown`: takes nothing more then, and finishes what is under way within the
    /// grace. What is not finished by then is taken up again when its lease runs out.
    pub async fn run(mut self, shutdown: CancellationToken) {
        measures::describe();
        let retries = Retries { schedule: self.schedule, jitter: self.jitter };
        let sweep = Sweep {
            leases: self.leases.clone(),
            queue: self.queue,
            inbox: self.inbox_of_sweep,
            retries: retries.clone(),
            heartbeat: self.heartbeat.clone(),
            expired: BTreeMap::new(),
            released: Released::default(),
            unforgotten: None,
        };
        let sweep = tokio::spawn(sweep.run(shutdown.clone()));
        let (ended, to_record) = mpsc::channel(PLACES);
        let held = HeldJobs::default();
        let (leases, name) = (self.leases.clone(), self.name.clone());
        let recorder = tokio::spawn(recorder::record(leases, name, held.clone(), to_record));
        let acting = Acting { performer: self.performer, retries, shortage: Shortage::default() };
        let desk = Arc::new(Desk::new(self.leases, self.name, acting, held, ended));
        desk.work(&mut self.inbox, &self.heartbeat, &shutdown).await;
        // The sweep uses the same name; it ends with the shutdown.
        let left = tokio::spawn(async move {
            if let Err(error) = sweep.await {
                tracing::error!(%error, "The sweep failed");
            }
            if let Ok(Err(error)) = tokio::time::timeout(LEAVE_MAX, self.inbox.leave()).await {
                tracing::warn!(%error, "The queue still has this worker's name");
            }
        });
        desk.under_way.close();
        if tokio::time::timeout(self.grace, desk.under_way.wait()).await.is_err() {
            tracing::warn!(attempts = desk.under_way.len(), "Left unfinished at shutdown");
        } else {
            if let Ok(Err(error)) = tokio::time::timeout(self.grace, desk.disown()).await {
                tracing::warn!(%error, "Leases that nothing was sent under may count");
            }
            drop(desk);
            if tokio::time::timeout(self.grace, recorder).await.is_err() {
                tracing::warn!("Attempts were not recorded before shutdown");
            }
        }
        if let Err(error) = left.await {
            tracing::error!(%error, "Leaving the queue failed");
        }
    }
}
