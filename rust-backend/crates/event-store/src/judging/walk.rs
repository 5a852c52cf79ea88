//! The chains of a survey: known ones each time, all others in turn.
//!
//! A writer may name any number of chains, and to find the entries behind a cursor costs a few
//! probes of an index for each. A survey asks for the known chains, the notified ones, the chains
//! with entries the last time, and a step of the rest of the log's. Where the log has few chains,
//! it asks for all.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use event_engine::event::ChainId;

/// Chains that each survey walks over.
const FEW: u32 = 100;
/// Of more, so many at once,
const STEP_MAX: u32 = 500;
/// and again after this time, or at once where the last step found something.
const STEP_EVERY: Duration = Duration::from_millis(450);
/// Chains that had entries and are asked for again; beyond it the walk comes back to them.
const PENDING_MAX: usize = 1_000;

/// The step of the next survey: chains from `from` on, `steps_max` at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct WalkStep {
    pub(crate) from: i64,
    pub(crate) steps_max: u32,
}

/// The result of a survey.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    /// The horizon, and the next transaction id, of its snapshot.
    pub(crate) xmin: u64,
    pub(crate) xmax: u64,
    /// The last chain of the step, and how many it walked over.
    pub(crate) walked_to: Option<i64>,
    pub(crate) walked: u32,
    /// Chains with entries behind their cursor, judgeable or not yet.
    pub(crate) pending: BTreeSet<ChainId>,
}

/// The position of the walk.
#[derive(Debug, Default)]
pub(crate) struct ChainWalk {
    /// The log has more chains than a look walks over.
    is_long: bool,
    /// The next chain of a long walk; `None` at its beginning.
    next: Option<i64>,
    stepped_at: Option<Instant>,
    /// The last step found something.
    has_found: bool,
    /// Chains of this round so far.
    walked: u32,
    /// The horizon at the beginning of a round that has found nothing yet.
    nothing_since: Option<u64>,
    /// Everything was judged when the next transaction id was this: while it is, there is nothing
    /// to look for.
    rested_at: Option<u64>,
    pending: BTreeSet<ChainId>,
}

impl ChainWalk {
    /// The step of the next survey.
    pub(crate) fn step(&self, now: Instant) -> WalkStep {
        if !self.is_long {
            return WalkStep { from: i64::MIN, steps_max: FEW + 1 };
        }
        let is_due = |at: Instant| now.saturating_duration_since(at) >= STEP_EVERY;
        let steps_max =
            if self.has_found || self.stepped_at.is_none_or(is_due) { STEP_MAX } else { 0 };
        WalkStep { from: self.next.unwrap_or(i64::MIN), steps_max }
    }

    /// The next transaction id while which there is nothing to look for.
    pub(crate) fn rested_at(&self) -> Option<u64> {
        self.rested_at
    }

    /// The chains that had entries the last time.
    pub(crate) fn pending(&self) -> impl Iterator<Item = ChainId> {
        self.pending.iter().copied()
    }

    /// A connection is new: a crash of the server may have undone earlier results.
    pub(crate) fn doubt(&mut self) {
        (self.nothing_since, self.rested_at) = (None, None);
    }

    /// Takes in the result of a survey. A resting one walked over nothing.
    pub(crate) fn saw(&mut self, step: WalkStep, seen: Seen, now: Instant) {
        if Some(seen.xmax) == self.rested_at {
            return;
        }
        self.rested_at = None;
        let is_first = !self.is_long || self.next.is_none();
        if is_first && step.steps_max > 0 {
            (self.walked, self.nothing_since) = (0, Some(seen.xmin));
        }
        if !seen.pending.is_empty() {
            self.nothing_since = None;
        }
        if step.steps_max > 0 {
            self.has_found = !seen.pending.is_empty();
            self.stepped_at = Some(now);
            self.walked = self.walked.saturating_add(seen.walked);
            let goes_on = seen.walked == step.steps_max;
            self.next = seen.walked_to.filter(|_| goes_on).and_then(|last| last.checked_add(1));
            self.is_long = self.next.is_some() || self.walked > FEW;
            if self.next.is_none() {
                self.rested_at = self.nothing_since.take();
            }
        }
        self.pending = seen.pending.into_iter().take(PENDING_MAX).collect();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A log of chains, as a look at it sees it.
    struct World {
        chains: Vec<i64>,
        pending: BTreeSet<ChainId>,
        xmax: u64,
        probes: u32,
    }

    impl World {
        fn of(chains: i64) -> Self {
            let chains = (0..chains).map(|n| n * 3).collect();
            Self { chains, pending: BTreeSet::new(), xmax: 1_000, probes: 0 }
        }

        fn look(&mut self, walk: &mut ChainWalk, now: Instant) -> BTreeSet<ChainId> {
            let step = walk.step(now);
            let rests = walk.rested_at() == Some(self.xmax);
            let from = self.chains.iter().copied().filter(|chain| *chain >= step.from);
            let walked: Vec<i64> =
                from.take(if rests { 0 } else { step.steps_max as usize }).collect();
            let asked: BTreeSet<ChainId> =
                walked.iter().map(|chain| ChainId(*chain)).chain(walk.pending()).collect();
            let pending: BTreeSet<ChainId> = asked.intersection(&self.pending).copied().collect();
            let count = u32::try_from(walked.len()).expect("few");
            self.probes += count;
            let seen = Seen {
                xmin: self.xmax,
                xmax: self.xmax,
                walked_to: walked.last().copied(),
                walked: count,
                pending: pending.clone(),
            };
            walk.saw(step, seen, now);
            pending
        }
    }

    #[test]
    fn few_chains_are_all_asked_for_at_each_look_until_nothing_is_written() {
        let (mut world, mut walk, now) = (World::of(100), ChainWalk::default(), Instant::now());
        world.pending.insert(ChainId(297));
        assert_eq!(world.look(&mut walk, now).len(), 1);
        assert_eq!(world.look(&mut walk, now).len(), 1);
        world.pending.clear();
        world.look(&mut walk, now);
        let probes = world.probes;
        world.look(&mut walk, now);
        assert_eq!(world.probes, probes, "at rest nothing is asked for");
        world.xmax += 1;
        world.pending.insert(ChainId(3));
        assert_eq!(world.look(&mut walk, now).len(), 1);
    }

    #[test]
    fn of_many_chains_each_is_found_in_its_turn_and_at_rest_none_is_asked_for() {
        let (mut world, mut walk) = (World::of(20_000), ChainWalk::default());
        let mut now = Instant::now();
        for number in [0, 1, 777, 19_999] {
            world.xmax += 1;
            let wanted = ChainId(number * 3);
            world.pending = BTreeSet::from([wanted]);
            let looks = (0..50).find(|_| {
                now += STEP_EVERY;
                world.look(&mut walk, now).contains(&wanted)
            });
            assert!(looks.is_some(), "chain {wanted} is found within a round");
            assert!(world.look(&mut walk, now).contains(&wanted), "and asked for again");
            world.pending.clear();
            for _ in 0..100 {
                now += STEP_EVERY;
                world.look(&mut walk, now);
            }
            let probes = world.probes;
            now += STEP_EVERY;
            world.look(&mut walk, now);
            assert_eq!(world.probes, probes, "at rest nothing is asked for");
        }
    }

    #[test]
    fn however_often_it_looks_no_more_than_a_step_of_many_chains_is_asked_for() {
        let (mut world, mut walk, now) = (World::of(20_000), ChainWalk::default(), Instant::now());
        for _ in 0..1_000 {
            world.xmax += 1;
            world.look(&mut walk, now);
        }
        assert!(world.probes <= FEW + 1 + STEP_MAX, "{} probes", world.probes);
    }

    #[test]
    fn what_is_written_during_a_round_keeps_it_from_resting() {
        let (mut world, mut walk) = (World::of(20_000), ChainWalk::default());
        let mut now = Instant::now();
        let mut found = false;
        for look in 0..200 {
            now += STEP_EVERY;
            // Behind the walk, while it is under way.
            if look == 20 {
                world.xmax += 1;
                world.pending.insert(ChainId(0));
            }
            found |= !world.look(&mut walk, now).is_empty();
        }
        assert!(found);
    }

    #[test]
    fn on_a_new_connection_nothing_is_taken_for_judged() {
        let (mut world, mut walk, now) = (World::of(5), ChainWalk::default(), Instant::now());
        world.look(&mut walk, now);
        world.pending.insert(ChainId(3));
        assert_eq!(world.look(&mut walk, now).len(), 0, "the id is the same as before the crash");
        walk.doubt();
        assert_eq!(world.look(&mut walk, now).len(), 1);
    }
}
