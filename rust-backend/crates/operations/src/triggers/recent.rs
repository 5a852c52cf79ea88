//! The latest events before a trigger: how many it takes, and why the others fire nothing.

use event_engine::condition::{Condition, Verdict};
use event_engine::event::Event;
use event_engine::index::TriggerIndex;
use event_engine::trigger::group_by::GroupBy;
use event_engine::trigger::{Definition, Start, Trigger, TriggerId};
use event_store::PgPool;
use event_store::views::events::{self, EventFilter};
use serde::Serialize;

use crate::Result;

/// The latest events that are looked at.
pub const EVENTS_MAX: i64 = 500;

/// The latest events by block time, of the trigger's chain if it names one: each is counted once,
/// under the first reason that applies.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct RecentEvents {
    /// All of them, at most [`EVENTS_MAX`].
    pub events: u64,
    /// Its selectors do not take them.
    pub not_selected: u64,
    /// They are no longer valid.
    pub invalidated: u64,
    /// They are from before its start.
    pub before_since: u64,
    /// Its condition does not hold.
    pub no_match: u64,
    /// A value of its condition or of `group_by` is missing, or does not compare.
    pub incomparable: u64,
    /// Its state decides: `count`, `ema` or `cooldown`.
    pub decided_by_state: u64,
    /// It fires for them, once they have its finality.
    pub matching: u64,
}

impl RecentEvents {
    /// Each reason in words, with its number.
    pub fn reasons(&self) -> [(&'static str, u64); 7] {
        [
            ("match", self.matching),
            ("depend on its state", self.decided_by_state),
            ("are not selected", self.not_selected),
            ("are no longer valid", self.invalidated),
            ("are from before `since`", self.before_since),
            ("do not meet its condition", self.no_match),
            ("lack a value, or have one that does not compare", self.incomparable),
        ]
    }
}

/// Looks at the latest events with a trigger's definition. `None` where the definition, written
/// by another release, cannot be read.
pub(super) async fn recent(
    pool: &PgPool,
    definition: &Definition,
    start: &Start,
) -> Result<Option<RecentEvents>> {
    let Some(index) = index(definition, start) else { return Ok(None) };
    let chain_id = match definition.selectors.chains[..] {
        [chain] => Some(chain),
        _ => None,
    };
    let filter = EventFilter { chain_id, ..EventFilter::default() };
    let latest = events::list(pool, &filter, None, EVENTS_MAX).await?;
    let mut recent = RecentEvents::default();
    for event in &latest.rows {
        recent.events += 1;
        *recent.counter(&index, event) += 1;
    }
    Ok(Some(recent))
}

impl RecentEvents {
    fn counter(&mut self, index: &TriggerIndex, event: &Event) -> &mut u64 {
        let Some(trigger) = index.candidates(event).next() else { return &mut self.not_selected };
        if event.invalidated {
            return &mut self.invalidated;
        }
        if !trigger.has_begun_at(event) {
            return &mut self.before_since;
        }
        if trigger.group(event).is_none() {
            return &mut self.incomparable;
        }
        let needs_state = !trigger.functions().is_empty();
        match trigger.condition().map_or(Verdict::Match, |it| it.verdict(event, &[])) {
            Verdict::NoMatch => &mut self.no_match,
            Verdict::Incomparable if !needs_state => &mut self.incomparable,
            Verdict::Match if !trigger.has_state() => &mut self.matching,
            Verdict::Incomparable | Verdict::Match => &mut self.decided_by_state,
        }
    }
}

/// An index of the one trigger.
fn index(definition: &Definition, start: &Start) -> Option<TriggerIndex> {
    let condition = definition.when.as_deref().map(Condition::parse).transpose().ok()?;
    let group_by = definition.group_by.as_deref().map(GroupBy::parse).transpose().ok()?;
    let trigger = Trigger {
        id: TriggerId::of("", ""),
        version: 1,
        selectors: definition.selectors.clone(),
        condition,
        group_by,
        cooldown_s: definition.cooldown_s,
        finality: definition.finality,
        lineage: 1,
        start: start.clone(),
        actions: Vec::new(),
    };
    Some(TriggerIndex::new(0, vec![trigger]))
}
