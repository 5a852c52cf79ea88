//! Events that triggers have not judged yet because they are not deep enough.

use std::collections::{BTreeMap, BTreeSet};

use crate::event::{ChainId, Event, EventName};
use crate::finality::{Finality, Heights};
use crate::trigger::TriggerId;

/// Waiting events to load for one batch, of each finality. The next batches release the rest, from
/// the same checkpoint.
pub const RELEASED_MAX: u32 = 500;

/// The name of a wait on its shard: an event waits once for each finality.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct WaitName {
    /// The event.
    pub event: EventName,
    /// The finality it waits for.
    pub finality: Finality,
}

/// An event's wait for a depth.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wait {
    /// The event's block.
    pub block_number: i64,
    /// Its log index in the block.
    pub log_index: i32,
    /// Its revision.
    pub revision: i32,
    /// Time at which the entry of that revision was logged; unix milliseconds.
    pub logged_at_ms: i64,
    /// The triggers that will judge it: those whose selectors took it when it came.
    pub triggers: Vec<TriggerId>,
}

/// A stored wait, with the event's content at that revision.
#[derive(Clone, Debug)]
pub struct Waiting {
    /// Its name.
    pub name: WaitName,
    /// The stored wait.
    pub wait: Wait,
    /// `None` if the event's row is deleted or was not asked for.
    pub event: Option<Box<Event>>,
}

/// A batch's question about the waits of its shard.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WaitingNeeds {
    /// Heights reached within the batch: asks for the waits up to there, lowest blocks first, at
    /// most [`RELEASED_MAX`] of each finality. `None` where no height moves.
    pub reached: Option<Heights>,
    /// Events of the batch's entries.
    pub named: Vec<EventName>,
}

/// The store's answer to [`WaitingNeeds`].
#[derive(Clone, Debug, Default)]
pub struct WaitingFound {
    /// The reached waits, from the lowest block up.
    pub reached: Vec<Waiting>,
    /// Finalities with more reached waits than the limit.
    pub cut: BTreeSet<Finality>,
    /// The waits of the batch's events, and all other waits of the reached events. Waits that
    /// are not reached come without their event's content.
    pub named: Vec<Waiting>,
}

/// Waits to store, or to delete where `None`.
pub type WaitChanges = BTreeMap<WaitName, Option<Wait>>;

/// A wait's key in the order of release, which is the chain's.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct ReleaseKey {
    block_number: i64,
    log_index: i32,
    name: WaitName,
}

/// The waits for one finality.
type Queue = BTreeMap<ReleaseKey, (Wait, Option<Box<Event>>)>;

/// The waits of a shard that a batch may meet.
#[derive(Clone, Debug, Default)]
pub(crate) struct Waits {
    /// By finality. The first of each queue decides if any of it is reached.
    at_hand: BTreeMap<Finality, Queue>,
    turns: BTreeMap<WaitName, ReleaseKey>,
    /// The last loaded wait of each finality that was cut: nothing behind it may be released yet.
    cut: BTreeMap<Finality, ReleaseKey>,
    changes: WaitChanges,
}

/// The next step of a release.
pub(crate) enum Release {
    /// This wait is reached and has been removed.
    Due(Waiting),
    /// No further wait is reached.
    Nothing,
    /// More waits are reached, but were not loaded.
    Cut,
}

impl Waits {
    /// Takes in the store's answer.
    pub(crate) fn load(&mut self, found: WaitingFound) {
        for waiting in found.reached {
            let turn = self.put(waiting);
            if found.cut.contains(&turn.name.finality) {
                let last = self.cut.entry(turn.name.finality).or_insert_with(|| turn.clone());
                *last = turn.max(last.clone());
            }
        }
        for waiting in found.named {
            if !self.turns.contains_key(&waiting.name) {
                self.put(waiting);
            }
        }
    }

    fn put(&mut self, Waiting { name, wait, event }: Waiting) -> ReleaseKey {
        let turn = ReleaseKey::of(&name, &wait);
        self.turns.insert(name, turn.clone());
        self.of(&turn).insert(turn.clone(), (wait, event));
        turn
    }

    fn of(&mut self, turn: &ReleaseKey) -> &mut Queue {
        self.at_hand.entry(turn.name.finality).or_default()
    }

    /// The loaded events, with the triggers that wait for them.
    pub(crate) fn at_hand(&self) -> impl Iterator<Item = (&Event, &[TriggerId])> {
        let there = self.at_hand.values().flat_map(Queue::values);
        there.filter_map(|(wait, event)| Some((event.as_deref()?, &wait.triggers[..])))
    }

    /// Lets a trigger wait for an event, beside others that may wait already.
    pub(crate) fn begin(&mut self, finality: Finality, trigger: TriggerId, event: &Event) {
        let name = WaitName { event: event.name.clone(), finality };
        if let Some(turn) = self.turns.get(&name)
            && let Some(there) = self.at_hand.get_mut(&finality)
            && let Some((wait, content)) = there.get_mut(turn)
            && wait.revision == event.revision
        {
            content.get_or_insert_with(|| Box::new(event.clone()));
            if !wait.triggers.contains(&trigger) {
                wait.triggers.push(trigger);
            }
            self.changes.insert(name, Some(wait.clone()));
            return;
        }
        let wait = Wait {
            block_number: event.block_number,
            log_index: event.log_index,
            revision: event.revision,
            logged_at_ms: event.inserted_at_ms,
            triggers: vec![trigger],
        };
        let turn = ReleaseKey::of(&name, &wait);
        self.changes.insert(name.clone(), Some(wait.clone()));
        if let Some(earlier) = self.turns.insert(name, turn.clone()) {
            self.of(&earlier).remove(&earlier);
        }
        self.of(&turn).insert(turn, (wait, Some(Box::new(event.clone()))));
    }

    /// Ends the waits of an event that was inserted or revised: they belong to its earlier content.
    pub(crate) fn remove(&mut self, event: &EventName) {
        let of = |finality| WaitName { event: event.clone(), finality };
        let names = self.turns.range(of(Finality::Instant)..=of(Finality::Finalized));
        for name in names.map(|(name, _)| name.clone()).collect::<Vec<_>>() {
            self.end(&name);
        }
    }

    /// Removes and returns the next reached wait, in the chain's order.
    pub(crate) fn next(&mut self, heights: &Heights, chain: ChainId) -> Release {
        let reached = |turn: &ReleaseKey| {
            heights
                .reached(turn.name.finality, chain)
                .is_some_and(|block| turn.block_number <= block)
        };
        // The first of each finality, unless it lies behind the last one loaded of a cut queue.
        let may_go =
            |turn: &ReleaseKey| self.cut.get(&turn.name.finality).is_none_or(|last| turn <= last);
        let lowest = self.at_hand.values().filter_map(|there| there.keys().next());
        let due = lowest.filter(|turn| reached(turn) && may_go(turn)).min().cloned();
        if let Some(turn) = due {
            let name = turn.name;
            return match self.end(&name) {
                Some((wait, event)) => Release::Due(Waiting { name, wait, event }),
                None => Release::Nothing,
            };
        }
        // All that was loaded of a cut queue is released, and its last was reached: the next may
        // be, too.
        let is_short = self.cut.values().any(reached);
        if is_short { Release::Cut } else { Release::Nothing }
    }

    /// Ends the batch and returns the changes to store.
    pub(crate) fn take_changes(&mut self) -> WaitChanges {
        std::mem::take(self).changes
    }

    fn end(&mut self, name: &WaitName) -> Option<(Wait, Option<Box<Event>>)> {
        self.changes.insert(name.clone(), None);
        let turn = self.turns.remove(name)?;
        self.of(&turn).remove(&turn)
    }
}

impl ReleaseKey {
    fn of(name: &WaitName, wait: &Wait) -> Self {
        let (block_number, log_index) = (wait.block_number, wait.log_index);
        Self { block_number, log_index, name: name.clone() }
    }
}
