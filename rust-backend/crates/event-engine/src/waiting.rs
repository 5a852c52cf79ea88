//! Events that triggers have not judged yet, because they do not lie deep enough.

use std::collections::{BTreeMap, BTreeSet};

use crate::event::{ChainId, Event, EventName};
use crate::finality::{Finality, Heights};
use crate::trigger::TriggerId;

/// Waiting events that are loaded for one batch, of each finality. What is more is released by the
/// next batches, from the same checkpoint.
pub const RELEASED_MAX: u32 = 500;

/// What names a wait on its shard: an event waits once for each finality.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct WaitName {
    /// The event.
    pub event: EventName,
    /// What it waits for.
    pub finality: Finality,
}

/// An event's wait for a depth.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wait {
    /// The event's block.
    pub block_number: i64,
    /// Its place in the block.
    pub log_index: i32,
    /// Its revision.
    pub revision: i32,
    /// When the entry of that revision was logged; unix milliseconds.
    pub logged_at_ms: i64,
    /// The triggers that will judge it then: those that took it when it came.
    pub triggers: Vec<TriggerId>,
}

/// A wait as it is stored, with what the event was at that revision.
#[derive(Clone, Debug)]
pub struct Waiting {
    /// What names it.
    pub name: WaitName,
    /// What is stored.
    pub wait: Wait,
    /// `None` once the event's row is deleted, or where it was not asked for.
    pub event: Option<Box<Event>>,
}

/// What a batch has to know of the waits of its shard.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WaitingNeeds {
    /// The blocks that are reached within the batch; what lies there, at most [`RELEASED_MAX`] of
    /// each finality, those of the lowest blocks. `None` where no height moves.
    pub reached: Option<Heights>,
    /// Events that the batch speaks of.
    pub named: Vec<EventName>,
}

/// What the store has of it.
#[derive(Clone, Debug, Default)]
pub struct WaitingFound {
    /// The waits that are reached, from the lowest block up.
    pub reached: Vec<Waiting>,
    /// Finalities of which more is reached than that.
    pub cut: BTreeSet<Finality>,
    /// The waits of events that the batch speaks of, and all other waits of those that are reached:
    /// of what is not reached, the event itself is not asked for.
    pub named: Vec<Waiting>,
}

/// What is to be stored: a wait, or that there is none any more.
pub type WaitChanges = BTreeMap<WaitName, Option<Wait>>;

/// A wait's place in the order of release: the chain's.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Turn {
    block_number: i64,
    log_index: i32,
    event: EventName,
    finality: Finality,
}

/// Those that wait for one finality.
type Queue = BTreeMap<Turn, (Wait, Option<Box<Event>>)>;

/// The waits of a shard that a batch may come across.
#[derive(Clone, Debug, Default)]
pub(crate) struct Waits {
    /// Of each finality the lowest is reached first: whether any is, it alone tells.
    at_hand: BTreeMap<Finality, Queue>,
    turns: BTreeMap<WaitName, Turn>,
    /// Of what was cut, the last that is at hand: behind it nothing may be released yet.
    cut: BTreeMap<Finality, Turn>,
    changes: WaitChanges,
}

/// What a release found.
pub(crate) enum Next {
    /// This one is reached, and waits no more.
    Due(Waiting),
    /// Nothing more is reached.
    Nothing,
    /// More is, and not at hand.
    Cut,
}

impl Waits {
    /// Takes in what the store has.
    pub(crate) fn load(&mut self, found: WaitingFound) {
        for waiting in found.reached {
            let turn = self.put(waiting);
            if found.cut.contains(&turn.finality) {
                let last = self.cut.entry(turn.finality).or_insert_with(|| turn.clone());
                *last = turn.max(last.clone());
            }
        }
        for waiting in found.named {
            if !self.turns.contains_key(&waiting.name) {
                self.put(waiting);
            }
        }
    }

    fn put(&mut self, Waiting { name, wait, event }: Waiting) -> Turn {
        let turn = Turn::of(&name, &wait);
        self.turns.insert(name, turn.clone());
        self.of(&turn).insert(turn.clone(), (wait, event));
        turn
    }

    fn of(&mut self, turn: &Turn) -> &mut Queue {
        self.at_hand.entry(turn.finality).or_default()
    }

    /// The events at hand, and who waits for them.
    pub(crate) fn at_hand(&self) -> impl Iterator<Item = (&Event, &[TriggerId])> {
        let there = self.at_hand.values().flat_map(Queue::values);
        there.filter_map(|(wait, event)| Some((event.as_deref()?, &wait.triggers[..])))
    }

    /// An event begins to wait, or goes on to with another trigger.
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
        let turn = Turn::of(&name, &wait);
        self.changes.insert(name.clone(), Some(wait.clone()));
        if let Some(earlier) = self.turns.insert(name, turn.clone()) {
            self.of(&earlier).remove(&earlier);
        }
        self.of(&turn).insert(turn, (wait, Some(Box::new(event.clone()))));
    }

    /// An event comes, or is revised: what it was waits no more.
    pub(crate) fn remove(&mut self, event: &EventName) {
        let of = |finality| WaitName { event: event.clone(), finality };
        let names = self.turns.range(of(Finality::Instant)..=of(Finality::Finalized));
        for name in names.map(|(name, _)| name.clone()).collect::<Vec<_>>() {
            self.end(&name);
        }
    }

    /// The next event that is reached, in the chain's order.
    pub(crate) fn next(&mut self, heights: &Heights, chain: ChainId) -> Next {
        let reached = |turn: &Turn| {
            heights.reached(turn.finality, chain).is_some_and(|block| turn.block_number <= block)
        };
        // Those that come first of each finality that was not cut, or was not yet cut here.
        let may_go = |turn: &Turn| self.cut.get(&turn.finality).is_none_or(|last| turn <= last);
        let lowest = self.at_hand.values().filter_map(|there| there.keys().next());
        let due = lowest.filter(|turn| reached(turn) && may_go(turn)).min().cloned();
        if let Some(turn) = due {
            let name = WaitName { event: turn.event.clone(), finality: turn.finality };
            return match self.end(&name) {
                Some((wait, event)) => Next::Due(Waiting { name, wait, event }),
                None => Next::Nothing,
            };
        }
        // What was cut is all released, and its last one was reached: so may the next be.
        let is_short = self.cut.values().any(reached);
        if is_short { Next::Cut } else { Next::Nothing }
    }

    /// Ends the batch: what is to be stored of it.
    pub(crate) fn take_changes(&mut self) -> WaitChanges {
        std::mem::take(self).changes
    }

    fn end(&mut self, name: &WaitName) -> Option<(Wait, Option<Box<Event>>)> {
        self.changes.insert(name.clone(), None);
        let turn = self.turns.remove(name)?;
        self.of(&turn).remove(&turn)
    }
}

impl Turn {
    fn of(name: &WaitName, wait: &Wait) -> Self {
        Self {
            block_number: wait.block_number,
            log_index: wait.log_index,
            event: name.event.clone(),
            finality: name.finality,
        }
    }
}
