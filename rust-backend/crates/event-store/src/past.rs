//! What is known of rows that have outgrown an entry or a wait: few, and mostly none.

use std::collections::HashMap;

use event_engine::event::{Event, EventName};
use event_engine::log::Position;
use sqlx::PgConnection;

use crate::{Result, event_log, replaced_events};

/// What such rows were.
#[derive(Default)]
pub(crate) struct Past {
    /// Where the later revisions stand.
    revisions: HashMap<EventName, Vec<(i32, Position)>>,
    /// What a row said before it came to say something else, up to each revision.
    replaced: HashMap<EventName, Vec<Event>>,
}

impl Past {
    /// Reads what is known of these.
    pub(crate) async fn of<'a>(
        connection: &mut PgConnection,
        outgrown: impl Iterator<Item = &'a EventName>,
    ) -> Result<Self> {
        let names: Vec<&EventName> = outgrown.collect();
        if names.is_empty() {
            return Ok(Self::default());
        }
        Ok(Self {
            revisions: event_log::revisions(connection, &names).await?,
            replaced: replaced_events::by_name(connection, &names).await?,
        })
    }

    /// What an event said at a revision, if its row is still there.
    pub(crate) fn content(
        &self,
        name: &EventName,
        revision: i32,
        row: Option<Box<Event>>,
    ) -> Option<Box<Event>> {
        let replaced = self.replaced.get(name).into_iter().flatten();
        let then = replaced.filter(|then| then.revision >= revision);
        then.min_by_key(|then| then.revision).cloned().map(Box::new).or(row)
    }

    /// Whether a higher revision stands in front of the entry at `position`.
    pub(crate) fn outgrows(&self, name: &EventName, revision: i32, position: Position) -> bool {
        let mut later = self.revisions.get(name).into_iter().flatten();
        later.any(|(other, at)| *other > revision && *at < position)
    }
}
