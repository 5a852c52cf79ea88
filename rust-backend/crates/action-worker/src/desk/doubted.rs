//! Jobs that a call may have leased which was not answered.

use std::time::Duration;

use event_engine::job::JobId;
use tokio::time::Instant;

use super::LEASE;

/// Between two looks for a late lease.
const PERIOD: Duration = Duration::from_secs(1);

/// The jobs, each with the end of the time in which they are looked at: a server that stood still
/// may carry out a call long after we gave it up. No attempt of theirs has begun.
#[derive(Debug, Default)]
pub(crate) struct DoubtedJobs {
    jobs: Vec<(JobId, Instant)>,
    look_at: Option<Instant>,
}

impl DoubtedJobs {
    /// A call that was to lease them was not answered.
    pub(crate) fn add(&mut self, ids: Vec<JobId>, now: Instant) {
        self.jobs.extend(ids.into_iter().map(|id| (id, now + LEASE)));
        self.look_at = Some(now);
    }

    /// The jobs to look at now, if it is time.
    pub(crate) fn due(&self, now: Instant) -> Option<Vec<JobId>> {
        let is_due = self.look_at.is_some_and(|at| at <= now);
        is_due.then(|| self.jobs.iter().map(|(id, _)| *id).collect())
    }

    /// Their leases of before `now` are given back.
    pub(crate) fn disowned(&mut self, now: Instant) {
        self.jobs.retain(|(_, until)| *until > now);
        self.look_at = (!self.jobs.is_empty()).then_some(now + PERIOD);
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_late_lease_is_looked_for_until_it_would_run_out() {
        let (mut doubted, job, begin) =
            (DoubtedJobs::default(), JobId(Uuid::nil()), Instant::now());
        assert_eq!(doubted.due(begin), None);
        doubted.add(vec![job], begin);
        assert_eq!(doubted.due(begin), Some(vec![job]));
        doubted.disowned(begin);
        assert_eq!(doubted.due(begin), None);
        let late = begin + LEASE - PERIOD;
        assert_eq!(doubted.due(late), Some(vec![job]));
        doubted.disowned(late);
        assert_eq!(doubted.due(begin + LEASE), Some(vec![job]));
        doubted.disowned(begin + LEASE);
        assert_eq!(doubted.due(begin + LEASE + PERIOD), None);
    }
}
