//! Earlier contents and later revisions of events whose rows were revised after the entry or wait
//! that is read: few, and mostly empty.

use std::collections::HashMap;

use event_engine::event::{Event, EventName};
use event_engine::log::Position;
use sqlx::PgConnection;

use crate::Result;
use crate::events::superseded_events::{self, Revision};
use crate::judging::event_log;

/// Of such events.
#[derive(Default)]
pub(crate) struct EventHistory {
    /// The positions of the later revisions.
    revisions: HashMap<EventName, Vec<(i32, Position)>>,
    /// The contents of a row at a revision, before it was revised; `None` where they are too long
    /// to be read with the others.
    superseded: HashMap<EventName, Vec<(i32, Option<Event>)>>,
}

impl EventHistory {
    /// Reads the history of these events, each at a revision that is not its row's any more.
    pub(crate) async fn of(connection: &mut PgConnection, superseded: &[Revision]) -> Result<Self> {
        if superseded.is_empty() {
            return Ok(Self::default());
        }
        let names: Vec<&EventName> = superseded.iter().map(|(name, _)| name).collect();
        Ok(Self {
            revisions: event_log::revisions(connection, &names).await?,
            superseded: superseded_events::in_force(connection, superseded).await?,
        })
    }

    /// True if the event's contents at a revision were read, or are those of its row.
    pub(crate) fn is_read(&self, name: &EventName, revision: i32) -> bool {
        !matches!(self.then(name, revision), Some(None))
    }

    /// Sets an event, as its row is now, back to a revision. Its validity then, and the time of its
    /// entry, are not in the row and stay.
    pub(crate) fn restore(&self, event: &mut Event, revision: i32) {
        if let Some(Some(then)) = self.then(&event.name, revision) {
            let (invalidated, inserted_at_ms) = (event.invalidated, event.inserted_at_ms);
            *event = Event { invalidated, inserted_at_ms, ..then.clone() };
        }
        event.revision = revision;
    }

    fn then(&self, name: &EventName, revision: i32) -> Option<&Option<Event>> {
        let mut contents = self.superseded.get(name).into_iter().flatten();
        contents.find(|(at, _)| *at == revision).map(|(_, content)| content)
    }

    /// True if a higher revision stands in front of the entry at `position`.
    pub(crate) fn supersedes(&self, name: &EventName, revision: i32, position: Position) -> bool {
        let mut later = self.revisions.get(name).into_iter().flatten();
        later.any(|(other, at)| *other > revision && *at < position)
    }
}
