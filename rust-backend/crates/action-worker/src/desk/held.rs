//! Jobs whose leases this worker knows of.

use std::collections::HashMap;
use std::sync::Arc;

use event_engine::job::JobId;
use parking_lot::Mutex;

/// The jobs, each with the number of its leases that have not ended: an attempt may still be under
/// way under a lease that ran out when the next lease is taken. Clones are of the same jobs.
#[derive(Clone, Debug, Default)]
pub(crate) struct HeldJobs(Arc<Mutex<HashMap<JobId, usize>>>);

impl HeldJobs {
    /// Leases were taken.
    pub(crate) fn take(&self, ids: impl Iterator<Item = JobId>) {
        let mut held = self.0.lock();
        for id in ids {
            *held.entry(id).or_default() += 1;
        }
    }

    /// Leases have ended: their ends are recorded.
    pub(crate) fn end(&self, ids: impl Iterator<Item = JobId>) {
        let mut held = self.0.lock();
        for id in ids {
            if let Some(leases) = held.get_mut(&id) {
                *leases -= 1;
                if *leases == 0 {
                    held.remove(&id);
                }
            }
        }
    }

    /// The jobs among `ids` of which no lease is known.
    pub(crate) fn unknown_of(&self, ids: &[JobId]) -> Vec<JobId> {
        let held = self.0.lock();
        ids.iter().filter(|id| !held.contains_key(id)).copied().collect()
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn a_job_is_known_until_its_last_lease_has_ended() {
        let (held, one, other) = (HeldJobs::default(), JobId(Uuid::nil()), JobId(Uuid::max()));
        held.take([one, one].into_iter());
        assert_eq!(held.unknown_of(&[one, other]), [other]);
        held.end([one].into_iter());
        assert_eq!(held.unknown_of(&[one, other]), [other]);
        held.end([one, other].into_iter());
        assert_eq!(held.unknown_of(&[one, other]), [one, other]);
    }
}
