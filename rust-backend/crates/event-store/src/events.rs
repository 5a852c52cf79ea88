//! Table `events`, read by name.

use std::collections::HashMap;

use event_engine::event::{Event, EventName};
use sqlx::{PgConnection, PgPool};

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

/// Bytes of arguments that are read together. A batch has to be parsed and judged before its
/// transaction counts as stalled, and has to fit in memory. What is stored as it is counts so; only
/// what is compressed has to be written out to be counted.
const ARGUMENTS_BYTES_MAX: i64 = 8 * 1024 * 1024;

/// The rows of these names, as they are now, and how many of the names were read: where the
/// arguments together are too long, only the first names are, at least one. When they were inserted
/// is left to the log's entries: a row says what its writer likes.
///
/// The bounds on the block time keep the other chunks of a hypertable out of it. Each row is looked
/// up by its key: joined, the planner may rather go through all rows between these bounds.
pub(crate) async fn by_name(
    connection: &mut PgConnection,
    names: &[&EventName],
) -> Result<(HashMap<EventName, Event>, usize)> {
    let ids: Vec<&str> = names.iter().map(|name| name.id.as_str()).collect();
    let times: Vec<i64> = names.iter().map(|name| name.timestamp).collect();
    let (Some(earliest), Some(latest)) = (times.iter().min(), times.iter().max()) else {
        return Ok((HashMap::new(), 0));
    };
    let rows = sqlx::query!(
        r#"SELECT place AS "place!", id, chain_id, block_number, block_hash, transaction_hash,
                  log_index, event_type, registry, "timestamp", agent_id, address,
                  CASE WHEN bytes_before < $5 THEN data::text END AS data, invalidated, revision,
                  0::bigint AS "inserted_at_ms!", bytes_before >= $5 AS "beyond!"
           FROM (SELECT *, coalesce(sum(CASE WHEN pg_column_compression(data) IS NULL
                                             THEN pg_column_size(data)
                                             ELSE octet_length(data::text) END) OVER (
                            ORDER BY place ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
                        ), 0) AS bytes_before
                 FROM (SELECT wanted.place, e.id, e.chain_id, e.block_number, e.block_hash,
                              e.transaction_hash, e.log_index, e.event_type, e.registry,
                              e."timestamp", e.agent_id::text AS agent_id, e.address,
                              e.data, e.invalidated, e.revision
                       FROM unnest($1::text[], $2::bigint[]) WITH ORDINALITY
                            AS wanted (id, "timestamp", place)
                       CROSS JOIN LATERAL (
                           SELECT * FROM events
                           WHERE events.id = wanted.id
                             AND events."timestamp" = wanted."timestamp"
                             AND events."timestamp" BETWEEN $3 AND $4
                           LIMIT 1
                       ) AS e) AS read) AS summed
           ORDER BY place"#,
        &ids as &[&str],
        &times,
        earliest,
        latest,
        ARGUMENTS_BYTES_MAX,
    )
    .fetch_all(connection)
    .await?;
    let beyond = rows.iter().find(|row| row.beyond).map(|row| row.place - 1);
    let read = beyond.and_then(|count| usize::try_from(count).ok()).unwrap_or(names.len());
    let events = rows.into_iter().filter(|row| !row.beyond).map(|row| {
        let event = event!(row);
        (event.name.clone(), event)
    });
    Ok((events.collect(), read))
}

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
