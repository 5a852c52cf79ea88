//! Earlier contents and later revisions of events whose rows were revised after an entry or a wait
//! that is read: few, and mostly none.

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
    /// Where the later revisions stand.
    revisions: HashMap<EventName, Vec<(i32, Position)>>,
    /// What a row said at a revision, before it came to say something else; `None` where that is
    /// too long to be read with the others.
    superseded: HashMap<EventName, Vec<(i32, Option<Event>)>>,
}

impl EventHistory {
    /// Reads what is known of these, each at a revision that is not its row's any more.
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

    /// Whether what an event said at a revision was read, if anything else is to be.
    pub(crate) fn is_read(&self, name: &EventName, revision: i32) -> bool {
        !matches!(self.then(name, revision), Some(None))
    }

    /// Sets an event, as its row says it now, back to what it said at a revision. Whether it was
    /// valid then, and when that was logged, is not the row's to say and stays.
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

    /// Whether a higher revision stands in front of the entry at `position`.
    pub(crate) fn supersedes(&self, name: &EventName, revision: i32, position: Position) -> bool {
        let mut later = self.revisions.get(name).into_iter().flatten();
        later.any(|(other, at)| *other > revision && *at < position)
    }
}
