//! The observations of one trigger for one value of its `group_by`, on one chain.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::average::Average;
use super::observation::{EventPosition, Observation, Sampled};
use super::retention::Retention;
use crate::condition::{Function, Reading};
use crate::event::EventName;

/// The most observations of a group, and so the highest `count`. Beyond it the oldest are dropped.
pub const OBSERVATIONS_MAX: usize = 65_536;

/// One group, in the chain's order.
#[derive(Clone, Debug, Default)]
pub struct Group {
    observations: VecDeque<Observation>,
    /// One entry per function.
    totals: Vec<Totals>,
    /// Positions at which the trigger fired.
    firings: BTreeSet<EventPosition>,
    /// Positions of events that count earlier than their rows say: their names do not give the
    /// position.
    ahead: BTreeMap<EventName, EventPosition>,
}

/// Running totals of a `count`: before the first observation, and including each.
#[derive(Clone, Debug, Default)]
struct Totals {
    before: u64,
    with: VecDeque<u64>,
}

/// The effects of a change: observations to store, and events whose observations to delete.
#[derive(Debug, Default)]
pub(super) struct Touched {
    pub(super) put: Vec<Observation>,
    pub(super) dropped: Vec<EventName>,
}

impl Group {
    /// A group from its stored observations, in any order.
    pub fn stored(functions: &[Function], mut observations: Vec<Observation>) -> Self {
        observations.sort_by(|a, b| a.place.cmp(&b.place));
        let firings = observations.iter().filter(|o| o.fired).map(|o| o.place.clone()).collect();
        let totals = functions.iter().map(|_| Totals::default()).collect();
        let ahead = observations.iter().map(|o| &o.place).filter(|place| place.is_ahead());
        let ahead = ahead.map(|place| (place.event(), place.clone())).collect();
        let mut group = Self { observations: observations.into(), totals, firings, ahead };
        group.count_from(functions, 0);
        group
    }

    /// Its observations, in the chain's order.
    pub fn observations(&self) -> impl ExactSizeIterator<Item = &Observation> {
        self.observations.iter()
    }

    /// The counted time of its latest observation.
    pub(super) fn latest(&self) -> Option<i64> {
        self.observations.back().map(|latest| latest.place.counted_at)
    }

    /// The counted time of an event's observation; `None` if it is not observed.
    pub(super) fn counted_at(&self, event: &EventName) -> Option<i64> {
        self.find(event).map(|at| self.observations[at].place.counted_at)
    }

    /// Drops observations that are no longer kept. The one from which averages continue becomes the
    /// base.
    pub(super) fn prune(&mut self, retention: &Retention, block_time: i64, touched: &mut Touched) {
        let is_kept = |o: &Observation| retention.is_kept(o.place.counted_at, block_time);
        let unkept = self.observations.partition_point(|o| !is_kept(o));
        let Some(newest) = unkept.checked_sub(1) else { return };
        let expires_at = retention.expires_at(self.observations[newest].place.counted_at);
        if retention.averages && expires_at > block_time {
            self.drop_oldest(newest, true, touched);
        } else {
            self.drop_oldest(unkept, false, touched);
        }
    }

    /// Adds an observation and returns its index. `None` if it lies before the dropped ones.
    pub(super) fn add(
        &mut self,
        functions: &[Function],
        observation: Observation,
        touched: &mut Touched,
    ) -> Option<usize> {
        let is_dropped = |base: &Observation| base.base && observation.place <= base.place;
        if self.observations.front().is_some_and(is_dropped) {
            return None;
        }
        if !self.leave_for(functions, &observation.place, touched) {
            return None;
        }
        if observation.place.is_ahead() {
            self.ahead.insert(observation.place.event(), observation.place.clone());
        }
        let at = self.observations.partition_point(|o| o.place < observation.place);
        match self.observations.get_mut(at) {
            // The event was deleted and inserted again.
            Some(same) if same.place == observation.place => {
                self.firings.remove(&same.place);
                *same = observation;
            }
            _ => self.observations.insert(at, observation),
        }
        self.carry_from(functions, at, Some(at), touched);
        let beyond = self.observations.len().saturating_sub(OBSERVATIONS_MAX + 1);
        if beyond > 0 {
            self.drop_oldest(beyond, true, touched);
        }
        at.checked_sub(beyond).filter(|at| !self.observations[*at].base)
    }

    /// Removes an event. False if it is no longer there, or is the base of averages.
    pub(super) fn remove(
        &mut self,
        functions: &[Function],
        event: &EventName,
        below_revision: i32,
        touched: &mut Touched,
    ) -> bool {
        let Some(at) = self.find(event) else { return false };
        let found = &self.observations[at];
        if found.base || found.revision >= below_revision {
            return false;
        }
        self.take_out(at);
        touched.dropped.push(event.clone());
        self.carry_from(functions, at, None, touched);
        true
    }

    /// The value of each function at an observation.
    pub(super) fn readings(&self, functions: &[Function], at: usize) -> Vec<Option<Reading>> {
        let observation = &self.observations[at];
        let time = observation.place.counted_at;
        let reading = |(number, function): (usize, &Function)| match function {
            Function::Count(count) => {
                let until =
                    |time| self.observations.partition_point(|o| o.place.counted_at <= time);
                let totals = &self.totals[number];
                let before = totals.before(until(time - count.window_s()));
                Some(Reading::Count(totals.before(until(time)) - before))
            }
            Function::Ema(_) => match &observation.samples[number] {
                Sampled::Ema { after: Some(average), .. } => {
                    Some(Reading::Ema { value: average.value(), seen: average.seen() })
                }
                _ => None,
            },
        };
        functions.iter().enumerate().map(reading).collect()
    }

    /// True if the group fired within the cooldown, before or after.
    pub(super) fn is_cooling(&self, counted_at: i64, cooldown_s: i64) -> bool {
        let from = EventPosition::before(counted_at - cooldown_s + 1);
        self.firings.range(from..EventPosition::before(counted_at + cooldown_s)).next().is_some()
    }

    /// Records that the trigger fired, or forgets an observation that is not needed again.
    pub(super) fn judged(
        &mut self,
        functions: &[Function],
        at: usize,
        fired: bool,
        touched: &mut Touched,
    ) {
        let observation = &mut self.observations[at];
        if fired {
            observation.fired = true;
            self.firings.insert(observation.place.clone());
            touched.put.push(observation.clone());
        } else if functions.is_empty() {
            touched.dropped.push(observation.place.event());
            self.take_out(at);
        }
    }

    /// The index of an event's observation.
    fn find(&self, event: &EventName) -> Option<usize> {
        if let Some(place) = self.ahead.get(event) {
            return self.observations.binary_search_by(|o| o.place.cmp(place)).ok();
        }
        let from = EventPosition::before(event.timestamp);
        let begin = self.observations.partition_point(|o| o.place < from);
        self.observations
            .range(begin..)
            .take_while(|o| o.place.counted_at == event.timestamp)
            .position(|o| o.place.is_of(event))
            .map(|offset| begin + offset)
    }

    /// Removes an earlier observation of the same event at another position: an event with a
    /// bounded time was deleted and inserted again. An event is observed once. False if it is the
    /// base of averages.
    fn leave_for(
        &mut self,
        functions: &[Function],
        place: &EventPosition,
        touched: &mut Touched,
    ) -> bool {
        if self.ahead.is_empty() && !place.is_ahead() {
            return true;
        }
        let Some(at) = self.find(&place.event()) else { return true };
        if self.observations[at].place != *place {
            if self.observations[at].base {
                return false;
            }
            self.take_out(at);
            self.carry_from(functions, at, None, touched);
        }
        true
    }

    fn take_out(&mut self, at: usize) {
        if let Some(gone) = self.observations.remove(at) {
            self.forget(&gone.place);
        }
    }

    fn forget(&mut self, place: &EventPosition) {
        self.firings.remove(place);
        if place.is_ahead() {
            self.ahead.remove(&place.event());
        }
    }

    /// Drops the oldest observations. The oldest remaining one becomes the base, if `based`.
    fn drop_oldest(&mut self, dropped: usize, based: bool, touched: &mut Touched) {
        for observation in self.observations.drain(..dropped).collect::<Vec<_>>() {
            self.forget(&observation.place);
            touched.dropped.push(observation.place.event());
        }
        for totals in &mut self.totals {
            totals.before = totals.with.drain(..dropped).next_back().unwrap_or(totals.before);
        }
        let base = self.observations.front_mut().filter(|first| based && !first.base);
        if let Some(base) = base {
            base.base = true;
            touched.put.push(base.clone());
            self.totals.iter_mut().for_each(|totals| totals.before = totals.with[0]);
        }
    }

    /// Recomputes averages and totals from `at`. Stores `new`, and the observations that changed
    /// after it.
    fn carry_from(
        &mut self,
        functions: &[Function],
        at: usize,
        new: Option<usize>,
        touched: &mut Touched,
    ) {
        let mut carried = at.checked_sub(1).map(|before| averages(&self.observations[before]));
        for (place, observation) in (at..).zip(self.observations.range_mut(at..)) {
            let changed = carry(functions, carried.as_deref(), observation);
            if changed || new == Some(place) {
                touched.put.push(observation.clone());
            }
            carried = Some(averages(observation));
        }
        self.count_from(functions, at);
    }

    fn count_from(&mut self, functions: &[Function], at: usize) {
        for number in 0..functions.len() {
            let totals = &mut self.totals[number];
            totals.with.truncate(at);
            for observation in self.observations.range(at..) {
                let counted = observation.samples.get(number) == Some(&Sampled::Count(true));
                let total = totals.with.back().copied().unwrap_or(totals.before);
                totals.with.push_back(total + u64::from(counted && !observation.base));
            }
        }
    }
}

/// Groups are equal if their observations are.
impl PartialEq for Group {
    fn eq(&self, other: &Self) -> bool {
        self.observations == other.observations
    }
}

impl Totals {
    /// The number counted before the observation at `end`.
    fn before(&self, end: usize) -> u64 {
        end.checked_sub(1).map_or(self.before, |last| self.with[last])
    }
}

/// The averages after an observation, one per function.
fn averages(observation: &Observation) -> Vec<Option<Average>> {
    let average = |sampled: &Sampled| match sampled {
        Sampled::Ema { after, .. } => after.clone(),
        Sampled::Count(_) => None,
    };
    observation.samples.iter().map(average).collect()
}

/// Computes the averages of an observation from those before it. True if they changed.
fn carry(functions: &[Function], before: Option<&[Option<Average>]>, at: &mut Observation) -> bool {
    let mut changed = false;
    for (number, (function, sampled)) in functions.iter().zip(&mut at.samples).enumerate() {
        let (Function::Ema(ema), Sampled::Ema { value, after }) = (function, sampled) else {
            continue;
        };
        let carried = before.and_then(|before| before[number].as_ref());
        let now = match value {
            Some(value) => Some(Average::after(carried, value, ema.periods())),
            None => carried.cloned(),
        };
        changed |= *after != now;
        *after = now;
    }
    changed
}
