//! Events, as an operator looks at them.

use event_engine::event::Event;
use serde::{Deserialize, Serialize};
use sqlx::PgPool;

use super::slice::{ROWS_READ_MAX, ReadRow, Slice, slice};
use crate::Result;
use crate::events::rows::event;

/// Rows of one id that are shown: it has a row for each of its block times.
const ROWS_OF_AN_ID_MAX: i64 = 100;

/// The filter of a list of events. `None` means all.
#[derive(Clone, Debug, Default, Serialize)]
pub struct EventFilter {
    /// The chain.
    pub chain_id: Option<i64>,
    /// The registry.
    pub registry: Option<String>,
    /// The name of the event.
    pub event_type: Option<String>,
    /// The agent, as a decimal string.
    pub agent_id: Option<String>,
}

/// An event's place in a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventListPosition {
    /// Its block time.
    pub timestamp: i64,
    /// Its block's height.
    pub block_number: i64,
    /// Its place in the block.
    pub log_index: i32,
    /// Its id.
    pub id: String,
}

impl EventListPosition {
    fn of(event: &Event) -> Self {
        Self {
            timestamp: event.name.timestamp,
            block_number: event.block_number,
            log_index: event.log_index,
            id: event.name.id.clone(),
        }
    }
}

/// Reads a slice of the latest events by block time, newest first; of one chain by height.
pub async fn list(
    pool: &PgPool,
    filter: &EventFilter,
    after: Option<&EventListPosition>,
    rows_max: i64,
) -> Result<Slice<Event, EventListPosition>> {
    // Each way of `looked` goes along an index of its own; only that is taken whose first condition
    // holds. `"timestamp" + 0` is as the index has it: see there.
    let rows = sqlx::query!(
        r#"SELECT id AS "id!", chain_id AS "chain_id!", block_number AS "block_number!",
                  block_hash AS "block_hash!", transaction_hash AS "transaction_hash!",
                  log_index AS "log_index!", event_type AS "event_type!",
                  registry AS "registry!", "timestamp" AS "timestamp!",
                  agent_id::text AS agent_id, address, read.topics, read.data,
                  invalidated AS "invalidated!", revision AS "revision!",
                  found.data IS NOT NULL AND read.data IS NULL AS "is_unreadable!",
                  CASE WHEN isfinite(created_at)
                       THEN (extract(epoch FROM created_at) * 1000)::bigint
                       ELSE 0 END AS "inserted_at_ms!",
                  place AS "place!", is_wanted AS "is_wanted!"
           FROM (SELECT *
                 FROM (SELECT looked.*, row_number() OVER () AS place,
                              ($2::text IS NULL OR registry = $2)
                              AND ($3::text IS NULL OR event_type = $3)
                              AND ($4::text IS NULL
                                   OR coalesce(agent_id = $4::text::numeric, false)) AS is_wanted
                       FROM ((SELECT * FROM events
                              WHERE $1::bigint IS NULL
                                AND ("timestamp" + 0, block_number, log_index, id)
                                    < (coalesce($5::bigint, 9223372036854775807),
                                       coalesce($6::bigint, 0), coalesce($7::integer, 0),
                                       coalesce($8::text, ''))
                              ORDER BY "timestamp" + 0 DESC, block_number DESC, log_index DESC,
                                       id DESC
                              LIMIT $10)
                             UNION ALL
                             (SELECT * FROM events
                              WHERE $1 IS NOT NULL AND chain_id = $1
                                AND (block_number, log_index, id, "timestamp")
                                    < (coalesce($6, 9223372036854775807),
                                       coalesce($7, 2147483647), coalesce($8, ''),
                                       coalesce($5, 0))
                              ORDER BY block_number DESC, log_index DESC, id DESC,
                                       "timestamp" DESC
                              LIMIT $10)) AS looked) AS numbered
                 WHERE is_wanted OR place = $10
                 LIMIT $9::bigint + 1) AS found
           CROSS JOIN LATERAL (
               SELECT arguments_text(found.data),
                      CASE WHEN octet_length(found.topics::text) <= 4096
                           THEN to_jsonb(found.topics)::text END
               OFFSET 0) AS read (data, topics)"#,
        filter.chain_id,
        filter.registry,
        filter.event_type,
        filter.agent_id,
        after.map(|after| after.timestamp),
        after.map(|after| after.block_number),
        after.map(|after| after.log_index),
        after.map(|after| after.id.as_str()),
        rows_max,
        ROWS_READ_MAX,
    )
    .fetch_all(pool)
    .await?;
    let read = rows.into_iter().map(|row| {
        let (place, is_wanted) = (row.place, row.is_wanted);
        let row = event!("events", row);
        ReadRow { position: EventListPosition::of(&row), row, place, is_wanted }
    });
    Ok(slice(read.collect(), rows_max))
}

/// The events of an id, the latest block time first: mostly one.
pub async fn of_id(pool: &PgPool, id: &str) -> Result<Vec<Event>> {
    let rows = sqlx::query!(
        r#"SELECT id, chain_id, block_number, block_hash, transaction_hash, log_index, event_type,
                  registry, "timestamp", agent_id::text AS agent_id, address,
                  read.topics, read.data, invalidated, revision,
                  found.data IS NOT NULL AND read.data IS NULL AS "is_unreadable!",
                  CASE WHEN isfinite(created_at)
                       THEN (extract(epoch FROM created_at) * 1000)::bigint
                       ELSE 0 END AS "inserted_at_ms!"
           FROM (SELECT * FROM events WHERE id = $1 ORDER BY "timestamp" DESC LIMIT $2) AS found
           CROSS JOIN LATERAL (
               SELECT arguments_text(found.data),
                      CASE WHEN octet_length(found.topics::text) <= 4096
                           THEN to_jsonb(found.topics)::text END
               OFFSET 0) AS read (data, topics)
           ORDER BY "timestamp" DESC"#,
        id,
        ROWS_OF_AN_ID_MAX,
    )
    .fetch_all(pool)
    .await?;
    Ok(rows.into_iter().map(|row| event!("events", row)).collect())
}
