//! Table `events`, as it is listed.

use event_engine::event::Event;
use sqlx::PgPool;

use crate::Result;

/// An event out of a row; each query has a row type of its own.
macro_rules! event {
    ($row:ident) => {
        ::event_engine::event::Event {
            name: ::event_engine::event::EventName { id: $row.id, timestamp: $row.timestamp },
            chain_id: ::event_engine::event::ChainId($row.chain_id),
            block_number: $row.block_number,
            block_hash: $row.block_hash,
            transaction_hash: $row.transaction_hash,
            log_index: $row.log_index,
            event_type: $row.event_type,
            registry: $row.registry,
            agent_id: $row.agent_id,
            address: $row.address,
            arguments: ::event_engine::event::Arguments::from_json($row.data),
            invalidated: $row.invalidated,
            revision: $row.revision,
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
                  registry, "timestamp", agent_id::text AS agent_id, address, data::text AS data,
                  invalidated, revision,
                  CASE WHEN isfinite(created_at)
                       THEN (extract(epoch FROM created_at) * 1000)::bigint
                       ELSE 0 END AS "inserted_at_ms!"
           FROM events
           WHERE ($1::bigint IS NULL OR chain_id = $1)
             AND ($2::text IS NULL OR registry = $2)
             AND ($3::text IS NULL OR event_type = $3)
             AND ($4::text IS NULL OR agent_id = $4::text::numeric)
           ORDER BY "timestamp" DESC, block_number DESC, log_index DESC
           LIMIT $5"#,
        filter.chain_id,
        filter.registry,
        filter.event_type,
        filter.agent_id,
        rows_max,
    )
    .fetch_all(pool)
    .await?;
    Ok(rows.into_iter().map(|row| event!(row)).collect())
}
