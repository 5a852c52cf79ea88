//! Jobs that a call may have leased which was not answered.

use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

use event_engine::job::JobId;
use tokio::time::Instant;

use super::LEASE;

/// Between two looks for a late lease.
pub(super) const PERIOD: Duration = Duration::from_secs(1);

/// The jobs, each with the end of the time in which they are looked at: a server that stood still
/// may carry out a call long after we gave it up. No attempt of theirs has begun.
///
/// A look is one call for a group of them. Where it is held up, the group is parted: a row that
/// another session has locked holds only its own job. No job of a group is leased before its look
/// succeeds.
#[derive(Debug, Default)]
pub(super) struct DoubtedJobs {
    groups: VecDeque<DoubtedGroup>,
    /// Jobs of a call that is under way to lease them.
    being_leased: BTreeSet<JobId>,
}

#[derive(Debug)]
struct DoubtedGroup {
    jobs: Vec<(JobId, Instant)>,
    look_at: Instant,
    /// No look has succeeded since the doubt.
    is_open: bool,
    is_looked_at: bool,
}

impl DoubtedGroup {
    fn ids(&self) -> impl Iterator<Item = JobId> + '_ {
        self.jobs.iter().map(|(id, _)| *id)
    }
}

impl DoubtedJobs {
    /// The `ids` that may be leased now. Until [`Self::leased`] or [`Self::doubt`], no look is
    /// begun for them: it would give the new leases back.
    pub(super) fn begin_to_lease(&mut self, ids: Vec<JobId>) -> Vec<JobId> {
        let held_back = self.groups.iter().filter(|group| group.is_open || group.is_looked_at);
        let held_back: BTreeSet<JobId> = held_back.flat_map(DoubtedGroup::ids).collect();
        let ids: Vec<JobId> = ids.into_iter().filter(|id| !held_back.contains(id)).collect();
        self.being_leased = ids.iter().copied().collect();
        ids
    }

    /// The call was answered, and its leases are known.
    pub(super) fn leased(&mut self) {
        self.being_leased.clear();
    }

    /// The call was not answered; these jobs may be leased.
    pub(super) fn doubt(&mut self, ids: Vec<JobId>, now: Instant) {
        self.being_leased.clear();
        self.push(ids.into_iter().map(|id| (id, now + LEASE)).collect(), now, true);
    }

    /// The jobs of which no look has succeeded.
    pub(super) fn open(&self) -> usize {
        let open = self.groups.iter().filter(|group| group.is_open);
        open.map(|group| group.jobs.len()).sum()
    }

    /// The jobs to look at now, if it is time, until [`Self::looked_at`].
    pub(super) fn next(&mut self, now: Instant) -> Option<Vec<JobId>> {
        let leased = &self.being_leased;
        let mut due = self.groups.iter_mut().filter(|group| group.look_at <= now);
        let group = due.find(|group| !group.ids().any(|id| leased.contains(&id)))?;
        group.is_looked_at = true;
        Some(group.ids().collect())
    }

    /// The look that began at `begun` has ended. Where it succeeded, the leases of before are given
    /// back. A quick failure is the server's, and tells nothing of single jobs.
    pub(super) fn looked_at(&mut self, is_disowned: bool, begun: Instant, now: Instant) {
        let Some(at) = self.groups.iter().position(|group| group.is_looked_at) else { return };
        let Some(mut group) = self.groups.remove(at) else { return };
        if is_disowned {
            group.jobs.retain(|(_, until)| *until > begun);
            self.push(group.jobs, now + PERIOD, false);
            return;
        }
        if now < begun + PERIOD {
            self.push(group.jobs, now + PERIOD, true);
            return;
        }
        let others = group.jobs.split_off(group.jobs.len() / 2);
        for part in [group.jobs, others] {
            self.push(part, now + PERIOD, true);
        }
    }

    /// Each group, for a last look at all.
    pub(super) fn take(&mut self) -> Vec<Vec<JobId>> {
        std::mem::take(&mut self.groups).iter().map(|group| group.ids().collect()).collect()
    }

    fn push(&mut self, jobs: Vec<(JobId, Instant)>, look_at: Instant, is_open: bool) {
        if !jobs.is_empty() {
            self.groups.push_back(DoubtedGroup { jobs, look_at, is_open, is_looked_at: false });
        }
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn jobs(count: u128) -> Vec<JobId> {
        (0..count).map(|number| JobId(Uuid::from_u128(number))).collect()
    }

    #[test]
    fn a_late_lease_is_looked_for_until_it_would_run_out() {
        let (mut doubted, begin) = (DoubtedJobs::default(), Instant::now());
        let look = |doubted: &mut DoubtedJobs, at: Instant| {
            let looked_at = doubted.next(at);
            doubted.looked_at(true, at, at);
            looked_at
        };
        assert_eq!(look(&mut doubted, begin), None);
        doubted.doubt(jobs(1), begin);
        assert_eq!(look(&mut doubted, begin), Some(jobs(1)));
        assert_eq!(look(&mut doubted, begin), None);
        let late = begin + LEASE - PERIOD;
        assert_eq!(look(&mut doubted, late), Some(jobs(1)));
        assert_eq!(look(&mut doubted, begin + LEASE), Some(jobs(1)));
        assert_eq!(look(&mut doubted, begin + LEASE + PERIOD), None);
    }

    #[test]
    fn a_job_that_cannot_be_looked_at_holds_no_other() {
        let (mut doubted, mut now) = (DoubtedJobs::default(), Instant::now());
        let (all, locked) = (jobs(64), jobs(64)[37]);
        doubted.doubt(all.clone(), now);
        assert!(doubted.begin_to_lease(all.clone()).is_empty(), "nothing is known of them");
        doubted.leased();
        let mut failed = 0;
        while doubted.open() > 1 {
            let Some(group) = doubted.next(now) else {
                now += PERIOD;
                continue;
            };
            let is_disowned = !group.contains(&locked);
            failed += usize::from(!is_disowned);
            let begun = now;
            now += if is_disowned { Duration::ZERO } else { PERIOD * 5 };
            doubted.looked_at(is_disowned, begun, now);
        }
        assert!(failed <= 7, "{failed} looks in vain");
        let others: Vec<_> = all.iter().copied().filter(|id| *id != locked).collect();
        assert_eq!(doubted.begin_to_lease(all), others);
    }

    #[test]
    fn a_server_that_refuses_parts_no_group() {
        let (mut doubted, mut now) = (DoubtedJobs::default(), Instant::now());
        doubted.doubt(jobs(64), now);
        for _ in 0..30 {
            assert_eq!(doubted.next(now), Some(jobs(64)));
            doubted.looked_at(false, now, now);
            assert_eq!(doubted.next(now), None);
            now += PERIOD;
        }
        assert_eq!(doubted.open(), 64);
    }

    #[test]
    fn no_look_is_begun_for_a_job_that_is_being_leased() {
        let (mut doubted, now) = (DoubtedJobs::default(), Instant::now());
        doubted.doubt(jobs(1), now);
        doubted.next(now).expect("a look");
        assert!(doubted.begin_to_lease(jobs(1)).is_empty(), "nor the other way round");
        doubted.looked_at(true, now, now);
        let later = now + PERIOD;
        assert_eq!(doubted.begin_to_lease(jobs(2)), jobs(2));
        assert_eq!(doubted.next(later), None);
        doubted.leased();
        assert_eq!(doubted.next(later), Some(jobs(1)));
    }
}
