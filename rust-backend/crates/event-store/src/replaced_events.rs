//! Table `replaced_events`: what rows said before they came to say something else.

use std::collections::HashMap;

use event_engine::event::{Event, EventName};
use sqlx::PgConnection;

use crate::Result;
use crate::events::event;

/// What the rows of these names said earlier. The revision of each is the last one that it was in
/// force for. When they were inserted is left to the log's entries: a row says what its writer
/// likes.
pub(crate) async fn by_name(
    connection: &mut PgConnection,
    names: &[&EventName],
) -> Result<HashMap<EventName, Vec<Event>>> {
    let ids: Vec<&str> = names.iter().map(|name| name.id.as_str()).collect();
    let times: Vec<i64> = names.iter().map(|name| name.timestamp).collect();
    let rows = sqlx::query!(
        r#"SELECT r.id, chain_id, block_number, block_hash, transaction_hash, log_index,
                  event_type, registry, r."timestamp", agent_id::text AS agent_id, address,
                  read.data, r.data IS NOT NULL AND read.data IS NULL AS "is_unreadable!",
                  invalidated, revision, 0::bigint AS "inserted_at_ms!"
           FROM replaced_events r
           JOIN unnest($1::text[], $2::bigint[]) AS wanted (id, "timestamp")
                ON r.id = wanted.id AND r."timestamp" = wanted."timestamp"
           CROSS JOIN LATERAL (SELECT arguments_text(r.data) OFFSET 0) AS read (data)"#,
        &ids as &[&str],
        &times,
    )
    .fetch_all(connection)
    .await?;
    let mut replaced: HashMap<_, Vec<_>> = HashMap::new();
    for row in rows {
        let event = event!("replaced_events", row);
        replaced.entry(event.name.clone()).or_default().push(event);
    }
    Ok(replaced)
}
