//! Table `superseded_events`: the contents of rows before each revision.

use std::collections::HashMap;

use event_engine::event::{Event, EventName};
use sqlx::PgConnection;

use crate::Result;
use crate::events::rows::event;

/// Bytes of arguments that are read together, as of the rows themselves: see `event_log`.
const ARGUMENTS_BYTES_MAX: i64 = 8 * 1024 * 1024;

/// An event at one of its revisions.
pub(crate) type Revision = (EventName, i32);

/// The contents of these events at these revisions, if their rows have others by now. Where the
/// arguments are too long together, only the first are read, at least one; the others are `None`.
/// The time of insertion is left to the log's entries: in a row its writer may have set it.
pub(crate) async fn in_force(
    connection: &mut PgConnection,
    asked: &[Revision],
) -> Result<HashMap<EventName, Vec<(i32, Option<Event>)>>> {
    // Few, and mostly empty.
    let superseded = superseded(connection, asked).await?;
    let mut contents = contents(connection, &superseded).await?;
    let mut in_force: HashMap<_, Vec<_>> = HashMap::new();
    for ((name, revision), place) in superseded.into_iter().zip(1..) {
        in_force.entry(name).or_default().push((revision, contents.remove(&place)));
    }
    Ok(in_force)
}

async fn superseded(connection: &mut PgConnection, asked: &[Revision]) -> Result<Vec<Revision>> {
    let columns = RevisionColumns::of(asked);
    let places = sqlx::query_scalar!(
        r#"SELECT place AS "place!"
           FROM unnest($1::text[], $2::bigint[], $3::integer[]) WITH ORDINALITY
                AS asked (id, "timestamp", revision, place)
           WHERE EXISTS (SELECT FROM superseded_events r
                         WHERE r.id = asked.id AND r."timestamp" = asked."timestamp"
                           AND r.revision >= asked.revision)
           ORDER BY place"#,
        &columns.ids as &[&str],
        &columns.times,
        &columns.revisions,
    )
    .fetch_all(connection)
    .await?;
    let places = places.into_iter().filter_map(|place| usize::try_from(place - 1).ok());
    Ok(places.filter_map(|place| asked.get(place)).cloned().collect())
}

/// By their place in the request.
async fn contents(
    connection: &mut PgConnection,
    asked: &[Revision],
) -> Result<HashMap<i64, Event>> {
    if asked.is_empty() {
        return Ok(HashMap::new());
    }
    let columns = RevisionColumns::of(asked);
    let rows = sqlx::query!(
        r#"SELECT place AS "place!", id AS "id!", chain_id AS "chain_id!",
                  block_number AS "block_number!", block_hash AS "block_hash!",
                  transaction_hash AS "transaction_hash!", log_index AS "log_index!",
                  event_type AS "event_type!", registry AS "registry!",
                  "timestamp" AS "timestamp!",
                  agent_id::text AS agent_id, address, to_jsonb(topics)::text AS topics, data,
                  has_data AND data IS NULL AS "is_unreadable!",
                  invalidated AS "invalidated!", revision AS "revision!",
                  0::bigint AS "inserted_at_ms!"
           FROM (SELECT said.*, place,
                        coalesce(sum(octet_length(said.data)) OVER until, 0)
                            - coalesce(octet_length(said.data), 0) AS bytes_before,
                        -- Ends the reading where there is no room left: see claim_shards().
                        count(*) FILTER (WHERE octet_length(said.data) >= $4::bigint / 128)
                            OVER until AS long,
                        count(*) FILTER (WHERE octet_length(said.data) >= $4::bigint / 8)
                            OVER until AS longest
                 FROM unnest($1::text[], $2::bigint[], $3::integer[]) WITH ORDINALITY
                      AS asked (id, "timestamp", revision, place)
                 CROSS JOIN LATERAL (
                     SELECT r.id, r.chain_id, r.block_number, r.block_hash, r.transaction_hash,
                            r.log_index, r.event_type, r.registry, r."timestamp", r.agent_id,
                            r.address, r.invalidated, r.revision, r.data IS NOT NULL AS has_data,
                            CASE WHEN octet_length(r.topics::text) <= 4096 THEN r.topics END
                                AS topics,
                            arguments_text(r.data) AS data
                     FROM superseded_events r
                     WHERE r.id = asked.id AND r."timestamp" = asked."timestamp"
                       AND r.revision >= asked.revision
                     ORDER BY r.revision
                     LIMIT 1
                 ) AS said
                 WINDOW until AS (ORDER BY place ROWS UNBOUNDED PRECEDING)) AS read
           WHERE bytes_before < $4::bigint AND long <= 128 AND longest <= 2
           ORDER BY place"#,
        &columns.ids as &[&str],
        &columns.times,
        &columns.revisions,
        ARGUMENTS_BYTES_MAX,
    )
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(|row| (row.place, event!("superseded_events", row))).collect())
}

struct RevisionColumns<'a> {
    ids: Vec<&'a str>,
    times: Vec<i64>,
    revisions: Vec<i32>,
}

impl<'a> RevisionColumns<'a> {
    fn of(asked: &'a [Revision]) -> Self {
        Self {
            ids: asked.iter().map(|(name, _)| name.id.as_str()).collect(),
            times: asked.iter().map(|(name, _)| name.timestamp).collect(),
            revisions: asked.iter().map(|(_, revision)| *revision).collect(),
        }
    }
}
