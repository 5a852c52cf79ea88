//! Table `events`: an event out of a row.

use event_engine::event::Arguments;

/// Arguments as `arguments_text()` gives them. Where there are more than it gives, the event does
/// without, and the log says whose.
pub(crate) fn arguments(
    table: &str,
    id: &str,
    text: Option<String>,
    is_unreadable: bool,
) -> Arguments {
    if !is_unreadable {
        return Arguments::from_json(text);
    }
    tracing::warn!(
        table,
        column = "data",
        event_id = id,
        "An event's arguments exceed the read limit; it is handled without them",
    );
    Arguments::unreadable()
}

/// Topics as JSON: an array of theirs may have NULL elements and several dimensions.
pub(crate) fn topics(json: Option<String>) -> Option<Vec<String>> {
    serde_json::from_str(&json?).ok()
}

/// The one map from a row of `events`, or of a table with its columns, to an event. Each query has
/// a row type of its own, hence a macro. Behind an outer join it is written `event!(TABLE, row?)`,
/// and returns early with `None` where a NOT NULL column of the table is null.
macro_rules! event {
    ($table:literal, $row:ident $($outer:tt)?) => {
        ::event_engine::event::Event {
            arguments: $crate::events::rows::arguments(
                $table,
                &$row.id,
                $row.data,
                $row.is_unreadable,
            ),
            name: ::event_engine::event::EventName { id: $row.id, timestamp: $row.timestamp },
            chain_id: ::event_engine::event::ChainId($row.chain_id),
            block_number: $row.block_number $($outer)?,
            block_hash: $row.block_hash $($outer)?,
            transaction_hash: $row.transaction_hash $($outer)?,
            log_index: $row.log_index $($outer)?,
            event_type: $row.event_type $($outer)?,
            registry: $row.registry $($outer)?,
            agent_id: $row.agent_id,
            address: $row.address,
            topics: $crate::events::rows::topics($row.topics),
            invalidated: $row.invalidated,
            revision: $row.revision $($outer)?,
            inserted_at_ms: $row.inserted_at_ms,
        }
    };
}
pub(crate) use event;
