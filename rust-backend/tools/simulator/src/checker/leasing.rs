//! Is every attempt made under a lease of its own, and none of what was taken back?

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{DateTime, Utc};
use event_engine::delivery::lease::{Lease, LeasedJob};
use event_engine::event::EventName;
use event_engine::job::JobId;

use crate::store::{Database, Job, State};
use crate::world::life::Life;

/// The longest that the world's troubles keep a worker from disowning leases.
const DISOWNED_WITHIN: Duration = Duration::from_secs(20);

/// A lease that was given.
#[derive(Clone, Copy, Debug, Default)]
struct Grant {
    until_ms: i64,
    attempted: bool,
    /// Recorded, given back, or written off.
    over: bool,
}

/// The name of a lease: job, holder, end.
type LeaseName = (JobId, String, DateTime<Utc>);

/// All leases that were ever given.
#[derive(Debug, Default)]
pub(super) struct Leasing {
    grants: BTreeMap<LeaseName, Grant>,
    attempts: BTreeMap<JobId, usize>,
    /// Leases whose taker was not told of them: since when, its life, and how often it had stalled.
    untold: BTreeMap<LeaseName, (Duration, Life, u32)>,
}

impl Leasing {
    /// A lease is given to one at a time, and only of what is still wanted.
    pub(super) fn leased(
        &mut self,
        database: &Database,
        superseded: &BTreeMap<EventName, i32>,
        (holder, leases): (&str, &[Lease]),
        now_ms: i64,
    ) -> Result<(), String> {
        for lease in leases {
            match lease.retracts {
                Some(retracted) => is_over(database, retracted)?,
                None => is_wanted(database, superseded, lease)?,
            }
            let in_force = |it: &Grant| !it.over && it.until_ms >= now_ms;
            if let Some((who, _)) = self.grants_of(lease.id).find(|(_, it)| in_force(it)) {
                return Err(format!("{holder} leased what {who:?} has: {lease:?}"));
            }
            let Some(State::Leased { until_ms, .. }) =
                database.judged.jobs.by_id.get(&lease.id).map(|job| &job.state)
            else {
                return Err(format!("{holder} has no lease in the store: {lease:?}"));
            };
            let grant = Grant { until_ms: *until_ms, ..Grant::default() };
            self.untold.remove(&key(holder, lease));
            self.grants.insert(key(holder, lease), grant);
        }
        Ok(())
    }

    /// Only a lease that ran out is written off.
    pub(super) fn written_off(
        &self,
        holder: &str,
        lease: &Lease,
        now_ms: i64,
    ) -> Result<(), String> {
        match self.grants.get(&key(holder, lease)) {
            Some(grant) if !grant.over && grant.until_ms >= now_ms => {
                Err(format!("a lease in force of {holder} was written off: {lease:?}"))
            }
            _ => Ok(()),
        }
    }

    /// A worker was not told of leases that it took.
    pub(super) fn untold(&mut self, holder: &str, jobs: &[JobId], now: Duration, life: &Life) {
        for job in jobs {
            let is_its =
                |(key, it): &(&LeaseName, &Grant)| key.1 == holder && !it.over && !it.attempted;
            if let Some((key, _)) = self.grants_of(*job).filter(is_its).last() {
                self.untold.insert(key.clone(), (now, life.clone(), life.stalls()));
            }
        }
    }

    /// An attempt counts as lost only if its holder was told of the lease, or could not help it.
    pub(super) fn told(&self, holder: &str, lease: &Lease, now: Duration) -> Result<(), String> {
        match self.untold.get(&key(holder, lease)) {
            Some((since, life, stalls))
                if now.saturating_sub(*since) > DISOWNED_WITHIN
                    && !life.is_dead()
                    && life.stalls() == *stalls =>
            {
                Err(format!("{holder} was never told of a lease that counts: {lease:?}"))
            }
            _ => Ok(()),
        }
    }

    /// Only an attempt that was made is recorded as one; asked where any was seen to be made.
    pub(super) fn made(&self, holder: &str, lease: &Lease) -> Result<(), String> {
        match self.grants.get(&key(holder, lease)) {
            Some(grant) if !grant.attempted && !self.attempts.is_empty() => {
                Err(format!("{holder} counts an attempt that nobody made: {lease:?}"))
            }
            _ => Ok(()),
        }
    }

    /// Leases ended.
    pub(super) fn over<'a>(&mut self, holder: &str, leases: impl Iterator<Item = &'a Lease>) {
        for lease in leases {
            if let Some(grant) = self.grants.get_mut(&key(holder, lease)) {
                grant.over = true;
            }
        }
    }

    /// One attempt a lease, and as long as it is in force the job is its holder's.
    pub(super) fn attempted(
        &mut self,
        database: &Database,
        holder: &str,
        assignment: &LeasedJob,
        now_ms: i64,
    ) -> Result<(), String> {
        let lease = &assignment.lease;
        let told = JobId::of(lease.trigger.0, &lease.action.0, &lease.event, lease.revision);
        let named = match lease.retracts {
            Some(retracted) if retracted == told => JobId::of_retraction(told),
            _ => told,
        };
        if lease.id != named || assignment.event.revision != lease.revision {
            return Err(format!("{holder} sends something else than was decided: {lease:?}"));
        }
        let Some(grant) = self.grants.get_mut(&key(holder, lease)) else {
            return Err(format!("{holder} acts without a lease: {lease:?}"));
        };
        if std::mem::replace(&mut grant.attempted, true) {
            return Err(format!("{holder} acts twice on one lease: {lease:?}"));
        }
        let state = database.judged.jobs.by_id.get(&lease.id).map(|job| &job.state);
        let is_ours = matches!(state, Some(State::Leased { holder: it, .. }) if it == holder);
        if !grant.over && grant.until_ms >= now_ms && !is_ours {
            return Err(format!("{holder} has a lease in force on a job that is {state:?}"));
        }
        *self.attempts.entry(lease.id).or_default() += 1;
        Ok(())
    }

    /// How many attempts were made of a job.
    pub(super) fn attempts_of(&self, job: JobId) -> usize {
        self.attempts.get(&job).copied().unwrap_or_default()
    }

    fn grants_of(&self, job: JobId) -> impl Iterator<Item = (&LeaseName, &Grant)> {
        let first = (job, String::new(), DateTime::<Utc>::MIN_UTC);
        self.grants.range(first..).take_while(move |((it, ..), _)| *it == job)
    }
}

/// The chain has not taken the event back, and nobody was told that it has.
fn is_wanted(
    database: &Database,
    superseded: &BTreeMap<EventName, i32>,
    lease: &Lease,
) -> Result<(), String> {
    let row = database.rows.get(&lease.event);
    let stands = row.is_some_and(|it| it.revision == lease.revision && !it.invalidated);
    let taken_back = superseded.get(&lease.event).is_some_and(|it| *it > lease.revision);
    let retracted = database.judged.jobs.by_id.contains_key(&JobId::of_retraction(lease.id));
    if stands && !taken_back && !retracted {
        return Ok(());
    }
    Err(format!("what was taken back was leased: {lease:?}"))
}

/// No attempt of a job that is retracted is under way or will begin.
fn is_over(database: &Database, retracted: JobId) -> Result<(), String> {
    let job = database.judged.jobs.by_id.get(&retracted);
    let is_open = |job: &&Job| matches!(job.state, State::Pending | State::Leased { .. });
    match job.filter(is_open) {
        Some(job) => Err(format!("a job is retracted and goes on: {job:?}")),
        None => Ok(()),
    }
}

fn key(holder: &str, lease: &Lease) -> LeaseName {
    (lease.id, holder.to_owned(), lease.until)
}
