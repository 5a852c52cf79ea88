//! The desk: where ids become leases, and leases attempts.

mod doubted;
mod held;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use actions::registry;
use event_engine::delivery::lease::{Lease, LeasedJob, Loaded};
use event_engine::job::JobId;
use event_engine::port::{Inbox, Leases};
use futures::future::BoxFuture;
use parking_lot::Mutex;
use service::health::Heartbeat;
use service::outage::Outage;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::time::{Instant, timeout, timeout_at};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use self::doubted::{DoubtedJobs, PERIOD};
pub(crate) use self::held::HeldJobs;
use crate::act::{Acting, Performer};
use crate::destinations::{Destinations, PLACES};
use crate::measures;
use crate::recorder::LeaseEnd;

/// Jobs leased together at least: as many as one destination has places.
const LEASED_TOGETHER_MIN: usize = 64;
/// Jobs leased together while all of them find a place at their destination: more make a lease
/// hardly cheaper, and messages only wait for each other.
const LEASED_TOGETHER_MAX: usize = 256;
/// Longer than a lookup and an attempt may take and be recorded; a dead worker's jobs wait this
/// long, and until the sweep takes them back.
const LEASE: Duration = Duration::from_secs(27);
/// An attempt whose destination has to be prepared finds a place so long after its lease was asked
/// for, or its lease is given back: the rest is for the attempt and its record.
const BEGUN_WITHIN: Duration = Duration::from_secs(10);
/// Jobs that may be leased, and that nothing is known of: beyond, no more are taken.
const DOUBTED_MAX: usize = 4_096;
/// How long a job waits that was leased and could not be looked at, or has changed since.
const AGAIN: Duration = Duration::from_millis(500);
/// Between two tries while Redis or PostgreSQL is away.
const RETRY: Duration = Duration::from_millis(500);

/// Takes ids from the queue, leases their jobs and starts their attempts.
pub(crate) struct Desk<L, P> {
    leases: L,
    holder: String,
    acting: Acting<P>,
    destinations: Destinations,
    places: Arc<Semaphore>,
    held: HeldJobs,
    doubted: Mutex<DoubtedJobs>,
    /// Jobs were doubted.
    doubts: Notify,
    /// Attempts that have begun and are not with the recorder yet.
    pub(crate) under_way: TaskTracker,
    ended: mpsc::Sender<LeaseEnd>,
}

impl<L: Leases, P: Performer> Desk<L, P> {
    /// A desk of `holder`, which leaves every attempt that ended with `ended`.
    pub(crate) fn new(
        leases: L,
        holder: String,
        acting: Acting<P>,
        held: HeldJobs,
        ended: mpsc::Sender<LeaseEnd>,
    ) -> Self {
        Self {
            leases,
            holder,
            acting,
            destinations: Destinations::default(),
            places: Arc::new(Semaphore::new(PLACES)),
            held,
            doubted: Mutex::default(),
            doubts: Notify::new(),
            under_way: TaskTracker::new(),
            ended,
        }
    }

    /// Works until `shutdown`.
    pub(crate) async fn work(
        self: &Arc<Self>,
        inbox: &mut impl Inbox,
        heartbeat: &Heartbeat,
        shutdown: &CancellationToken,
    ) {
        tokio::select! {
            biased;
            () = shutdown.cancelled() => {}
            () = self.take_turns(inbox, heartbeat) => {}
            () = self.disown_doubted() => {}
        }
    }

    async fn take_turns(self: &Arc<Self>, inbox: &mut impl Inbox, heartbeat: &Heartbeat) {
        let mut outage = Outage::default();
        let mut together = LEASED_TOGETHER_MIN;
        loop {
            heartbeat.beat();
            match self.turn(inbox, together).await {
                Ok(next) => {
                    heartbeat.ready();
                    if outage.ends() {
                        tracing::info!("Jobs are to be had again");
                    }
                    together = next;
                }
                Err(error) => {
                    heartbeat.unready(&error.to_string());
                    if outage.begins() {
                        tracing::warn!(%error, "No jobs to be had; trying again");
                    }
                    tokio::time::sleep(RETRY).await;
                }
            }
        }
    }

    /// Reads ids for the places that are free, leases them and starts their attempts. Says how many
    /// to lease together next.
    async fn turn(
        self: &Arc<Self>,
        inbox: &mut impl Inbox,
        together: usize,
    ) -> anyhow::Result<usize> {
        let doubted = self.doubted.lock().open();
        anyhow::ensure!(
            doubted <= DOUBTED_MAX,
            "{doubted} jobs may be leased, and it is not known which are"
        );
        let place = Arc::clone(&self.places).acquire_owned().await;
        let mut places = vec![place.expect("the semaphore is never closed")];
        while places.len() < together
            && let Ok(place) = Arc::clone(&self.places).try_acquire_owned()
        {
            places.push(place);
        }
        let ids = inbox.next(places.len()).await?;
        let read = ids.len();
        // The sweep pushes those again that are left out.
        let ids = self.doubted.lock().begin_to_lease(ids);
        if ids.is_empty() {
            return Ok(together);
        }
        // From the lease on nothing may be dropped half-way: a shutdown would lose the attempt.
        let desk = Arc::clone(self);
        let begun = self.under_way.spawn(async move { desk.begin(&ids, places).await });
        Ok(next_together(together, read, begun.await??))
    }

    /// Says how many were given back.
    async fn begin(
        self: &Arc<Self>,
        ids: &[JobId],
        mut places: Vec<OwnedSemaphorePermit>,
    ) -> Result<usize, L::Error> {
        let asked = Instant::now();
        let leases = match self.leases.take(&self.holder, ids, LEASE).await {
            Ok(leases) => leases,
            Err(error) if L::is_refusal(&error) => {
                self.doubted.lock().leased();
                return Err(error);
            }
            Err(error) => {
                self.doubted.lock().doubt(self.held.unknown_of(ids), Instant::now());
                self.doubts.notify_one();
                return Err(error);
            }
        };
        self.held.take(leases.iter().map(|lease| lease.id));
        self.doubted.lock().leased();
        if leases.is_empty() {
            return Ok(0);
        }
        let taken = leases.len();
        let loaded = match self.leases.load(&leases).await {
            Ok(loaded) => loaded,
            Err(error) => {
                self.leave(leases.into_iter().map(|lease| (lease, AGAIN))).await;
                return Err(error);
            }
        };
        let mut back: Vec<_> =
            changed_since(leases, &loaded).into_iter().map(|lease| (lease, AGAIN)).collect();
        for (lease, problem) in loaded.unreadable {
            tracing::warn!(job = %lease.id, problem, "A job's event or trigger cannot be read");
            self.end(LeaseEnd::Made(self.acting.unreadable(lease, &problem))).await;
        }
        for assignment in loaded.jobs {
            let origin = origin(&assignment);
            let prepared = self.acting.performer.prepare(&assignment.action_type, &origin);
            let begun = match prepared {
                Some(prepared) => self.begin_prepared(assignment, origin, prepared, asked),
                None => self.begin_attempt(assignment, &origin, places.pop()),
            };
            back.extend(begun);
        }
        measures::leased(taken, back.len());
        let given_back = back.len();
        if given_back > 0 {
            if let Err(error) = self.leases.give_back(&self.holder, &back).await {
                self.leave(back.into_iter()).await;
                return Err(error);
            }
            self.held.end(back.iter().map(|(lease, _)| lease.id));
        }
        Ok(given_back)
    }

    /// Begins an attempt once its destination is prepared, which takes no place meanwhile. The
    /// place is waited for in turn with the desk, which takes each that gets free. Where too many
    /// wait for the same destination, returns the lease and how long its job has to stay away.
    fn begin_prepared(
        self: &Arc<Self>,
        assignment: LeasedJob,
        origin: String,
        prepared: BoxFuture<'static, ()>,
        asked: Instant,
    ) -> Option<(Lease, Duration)> {
        let waiting = match self.destinations.wait(&origin, Instant::now()) {
            Ok(waiting) => waiting,
            Err(wait) => return Some((assignment.lease, wait)),
        };
        let desk = Arc::clone(self);
        self.under_way.spawn(async move {
            prepared.await;
            let place = Arc::clone(&desk.places).acquire_owned();
            let place = timeout_at(asked + BEGUN_WITHIN, place).await.ok().and_then(Result::ok);
            drop(waiting);
            if let Some((lease, wait)) = desk.begin_attempt(assignment, &origin, place) {
                desk.end(LeaseEnd::GivenBack(lease, wait)).await;
            }
        });
        None
    }

    /// Begins an attempt. Where there is no place, returns the lease and how long its job has to
    /// stay away.
    fn begin_attempt(
        self: &Arc<Self>,
        assignment: LeasedJob,
        origin: &str,
        place: Option<OwnedSemaphorePermit>,
    ) -> Option<(Lease, Duration)> {
        let at = match (self.destinations.enter(origin, Instant::now()), &place) {
            (Ok(at), Some(_)) => at,
            (Ok(_), None) => return Some((assignment.lease, AGAIN)),
            (Err(wait), _) => return Some((assignment.lease, wait)),
        };
        let desk = Arc::clone(self);
        self.under_way.spawn(async move {
            measures::under_way(1);
            let (mut ended, told) = desk.acting.act(assignment).await;
            measures::under_way(-1);
            if let Some(pause) = at.leave(told, Instant::now())
                && let LeaseEnd::GivenBack(_, wait) = &mut ended
            {
                *wait = pause;
            }
            drop(place);
            desk.end(ended).await;
        });
        None
    }

    /// Gives back the jobs that unanswered calls may have leased, group by group: otherwise an
    /// attempt would count of which nothing was sent.
    async fn disown_doubted(&self) {
        let mut outage = Outage::default();
        loop {
            let begun = Instant::now();
            let next = self.doubted.lock().next(begun);
            let Some(group) = next else {
                let _ = timeout(PERIOD, self.doubts.notified()).await;
                continue;
            };
            let disowned = self.disown_group(&group).await;
            let jobs = {
                let mut doubted = self.doubted.lock();
                doubted.looked_at(disowned.is_ok(), begun, Instant::now());
                doubted.open()
            };
            let Err(error) = disowned else {
                if jobs == 0 && outage.ends() {
                    tracing::info!("Nothing is unknown of leases any more");
                }
                continue;
            };
            if outage.begins() {
                tracing::warn!(%error, jobs, "Jobs of an unanswered lease wait");
            }
            // A session that failed is judged before it is used again only where it rested.
            tokio::time::sleep(RETRY).await;
        }
    }

    /// A last try to do so, for all groups. Fails with the last failure.
    pub(crate) async fn disown(&self) -> Result<(), L::Error> {
        let groups = self.doubted.lock().take();
        let mut disowned = Ok(());
        for group in groups {
            disowned = self.disown_group(&group).await.and(disowned);
        }
        disowned
    }

    async fn disown_group(&self, group: &[JobId]) -> Result<(), L::Error> {
        let unknown = self.held.unknown_of(group);
        if unknown.is_empty() {
            return Ok(());
        }
        self.leases.disown(&self.holder, &unknown).await
    }

    /// Leaves leases with the recorder, which gives them back when the store can be reached: if
    /// they ran out, attempts would count that nobody made.
    async fn leave(&self, back: impl Iterator<Item = (Lease, Duration)>) {
        for (lease, wait) in back {
            self.end(LeaseEnd::GivenBack(lease, wait)).await;
        }
    }

    async fn end(&self, ended: LeaseEnd) {
        // The recorder outlives every attempt.
        let _ = self.ended.send(ended).await;
    }
}

/// As many as found a place; twice as many where all of them did and no fewer were there.
fn next_together(together: usize, read: usize, given_back: usize) -> usize {
    let next = match given_back {
        0 if read < together => together,
        0 => together * 2,
        _ => read.saturating_sub(given_back),
    };
    next.clamp(LEASED_TOGETHER_MIN, LEASED_TOGETHER_MAX)
}

/// Leases whose event changed between the lease and the look at it; the next lease decides.
fn changed_since(leases: Vec<Lease>, loaded: &Loaded) -> Vec<Lease> {
    let readable = loaded.jobs.iter().map(|assignment| assignment.lease.id);
    let unreadable = loaded.unreadable.iter().map(|(lease, _)| lease.id);
    let loaded: BTreeSet<JobId> = readable.chain(unreadable).collect();
    leases.into_iter().filter(|lease| !loaded.contains(&lease.id)).collect()
}

/// The machine or account whose limits apply: none where the configuration cannot be read.
fn origin(assignment: &LeasedJob) -> String {
    let Ok(config) = &assignment.config else { return String::new() };
    registry::destination(&assignment.action_type, config)
        .map_or_else(|_| String::new(), |destination| destination.origin)
}

#[cfg(test)]
mod tests;
