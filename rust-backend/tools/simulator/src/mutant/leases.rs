//! The worker's way to leases, and what may be wrong with it.

use std::time::Duration;

use event_engine::delivery::lease::{
    Attempt, AttemptRecord, Disposition, Expired, HeldSet, Lease, Loaded, Outcome, Released,
};
use event_engine::job::JobId;
use event_engine::port::Leases;

use super::Mutant;
use crate::store::{FakeLeases, State};
use crate::world::link::Fault;

/// The leases as one worker asks for them.
#[derive(Clone)]
pub struct Desk {
    leases: FakeLeases,
    mutant: Option<Mutant>,
}

impl Desk {
    /// The leases, with something wrong or nothing.
    pub fn new(leases: FakeLeases, mutant: Option<Mutant>) -> Self {
        Self { leases, mutant }
    }

    /// What is there, without leasing it.
    async fn look(&self, ids: &[JobId]) -> Result<Vec<Lease>, Fault> {
        let link = &self.leases.link;
        let looked = link.ask(|| {
            let database = link.world.database();
            let jobs = ids.iter().filter_map(|id| database.judged.jobs.by_id.get(id));
            let open = jobs.filter(|it| matches!(it.state, State::Pending | State::Leased { .. }));
            Ok(open.map(|job| Lease { attempt: job.attempts + 1, ..job.lease() }).collect())
        });
        looked.await
    }
}

impl Leases for Desk {
    type Error = Fault;

    fn is_refusal(error: &Fault) -> bool {
        FakeLeases::is_refusal(error)
    }

    async fn take(
        &self,
        holder: &str,
        ids: &[JobId],
        duration: Duration,
    ) -> Result<Vec<Lease>, Fault> {
        if self.mutant == Some(Mutant::NoLease) {
            return self.look(ids).await;
        }
        self.leases.take(holder, ids, duration).await
    }

    async fn load(&self, leases: &[Lease]) -> Result<Loaded, Fault> {
        self.leases.load(leases).await
    }

    async fn give_back(&self, holder: &str, back: &[(Lease, Duration)]) -> Result<(), Fault> {
        if self.mutant == Some(Mutant::CountsWhatNeverLeft) {
            let failed = back.iter().map(|(lease, wait)| AttemptRecord {
                lease: lease.clone(),
                action_type: "webhook".to_owned(),
                attempt: Attempt {
                    outcome: Outcome::Permanent,
                    duration: None,
                    http_status: None,
                    error: None,
                    response: None,
                },
                disposition: Disposition::Retry(*wait),
            });
            return self.leases.finish(holder, &failed.collect::<Vec<_>>()).await;
        }
        self.leases.give_back(holder, back).await
    }

    async fn disown(&self, holder: &str, ids: &[JobId]) -> Result<(), Fault> {
        if self.mutant == Some(Mutant::CountsUntoldLeases) {
            return Ok(());
        }
        self.leases.disown(holder, ids).await
    }

    async fn finish(&self, holder: &str, attempts: &[AttemptRecord]) -> Result<(), Fault> {
        let retractions = attempts.iter().map(|attempt| JobId::of_retraction(attempt.lease.id));
        let unwritten: Vec<JobId> = {
            let database = self.leases.link.world.database();
            retractions.filter(|it| !database.judged.jobs.by_id.contains_key(it)).collect()
        };
        self.leases.finish(holder, attempts).await?;
        if self.mutant == Some(Mutant::ForgetsUnderWay) {
            let mut database = self.leases.link.world.database();
            database.judged.jobs.by_id.retain(|id, _| !unwritten.contains(id));
        }
        Ok(())
    }

    async fn expired(&self, leases_max: i64) -> Result<Vec<Expired>, Fault> {
        self.leases.expired(leases_max).await
    }

    async fn release(&self, after: Option<HeldSet>) -> Result<Released, Fault> {
        if self.mutant == Some(Mutant::ForgetsHeld) {
            return Ok(Released::default());
        }
        self.leases.release(after).await
    }

    async fn unpushed(&self, unpushed_for: Duration, jobs_max: i64) -> Result<Vec<JobId>, Fault> {
        self.leases.unpushed(unpushed_for, jobs_max).await
    }
}
