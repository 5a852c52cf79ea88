//! Table `events`, as it is listed.

use event_engine::event::{Arguments, Event};
use sqlx::PgPool;

use crate::Result;

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
        "The arguments of an event are longer than is read; it is taken as one without",
    );
    Arguments::unreadable()
}

/// The one map from a row of `events`, or of a table with its columns, to an event. Each query has
/// a row type of its own, hence a macro. Behind an outer join it is written `event!(TABLE, row?)`:
/// then it returns early with `None` where a column that is never null in the table is null.
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
            invalidated: $row.invalidated,
            revision: $row.revision $($outer)?,
            inserted_at_ms: $row.inserted_at_ms,
        }
    };
}
pub(crate) use event;

/// Which events a list asks for. `None` means all.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// The chain.
    pub chain_id: Option<i64>,
    /// The registry.
    pub registry: Option<String>,
    /// The name of the event.
    pub event_type: Option<String>,
    /// The agent, as a decimal string.
    pub agent_id: Option<String>,
}

/// The latest events by arrival, newest first.
pub async fn latest(pool: &PgPool, filter: &Filter, rows_max: i64) -> Result<Vec<Event>> {
    let rows = sqlx::query!(
        r#"SELECT id, chain_id, block_number, block_hash, transaction_hash, log_index, event_type,
                  registry, "timestamp", agent_id::text AS agent_id, address, read.data,
                  invalidated, revision,
                  latest.data IS NOT NULL AND read.data IS NULL AS "is_unreadable!",
                  CASE WHEN isfinite(created_at)
                       THEN (extract(epoch FROM created_at) * 1000)::bigint
                       ELSE 0 END AS "inserted_at_ms!"
           FROM (SELECT * FROM events
                 WHERE ($1::bigint IS NULL OR chain_id = $1)
                   AND ($2::text IS NULL OR registry = $2)
                   AND ($3::text IS NULL OR event_type = $3)
                   AND ($4::text IS NULL OR agent_id = $4::text::numeric)
                 ORDER BY "timestamp" DESC, block_number DESC, log_index DESC
                 LIMIT $5) AS latest
           CROSS JOIN LATERAL (SELECT arguments_text(latest.data) OFFSET 0) AS read (data)
           ORDER BY "timestamp" DESC, block_number DESC, log_index DESC"#,
        filter.chain_id,
        filter.registry,
        filter.event_type,
        filter.agent_id,
        rows_max,
    )
    .fetch_all(pool)
    .await?;
    Ok(rows.into_iter().map(|row| event!("events", row)).collect())
}
