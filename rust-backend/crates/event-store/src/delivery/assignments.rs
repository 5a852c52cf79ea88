//! All that a worker needs to act on a lease: the event, the trigger's name, the configuration of
//! the action in the version that matched.

use event_engine::delivery::lease::{Lease, LeasedJob, Loaded, Reinclusion, Reorg};
use event_engine::delivery::retry::RetrySchedule;
use event_engine::event::Event;
use event_engine::job::JobId;
use event_engine::trigger::config::ConfigNode;
use serde_json::value::RawValue;
use sqlx::PgPool;
use sqlx::types::Json;
use uuid::Uuid;

use crate::events::rows::event;
use crate::{Result, StoreError};

/// Bytes of arguments and raw logs that are loaded together: a lease that there is no room for is
/// given back, and comes again. A single one may have 24 MiB.
const BYTES_MAX: i64 = 8 * 1024 * 1024;

/// Loads the events and actions of the leases. Any writer may store an event, so a row may hold a
/// value that we cannot read: then each lease is loaded by itself, and the row fails no other one.
pub(crate) async fn load(pool: &PgPool, leases: &[Lease]) -> Result<Loaded> {
    match load_together(pool, leases).await {
        Ok(jobs) => return Ok(Loaded { jobs, unreadable: Vec::new() }),
        Err(error) if !is_of_a_row(&error) => return Err(error),
        Err(_) => {}
    }
    let mut loaded = Loaded::default();
    for lease in leases {
        match load_together(pool, std::slice::from_ref(lease)).await {
            Ok(jobs) => loaded.jobs.extend(jobs),
            Err(error) if !is_of_a_row(&error) => return Err(error),
            Err(error) => loaded.unreadable.push((lease.clone(), error.to_string())),
        }
    }
    Ok(loaded)
}

/// True if a row is at fault, and not the database or the way to it.
fn is_of_a_row(error: &StoreError) -> bool {
    match error {
        StoreError::Database(sqlx::Error::Database(error)) => {
            // A connection, a transaction, resources, an operator, the system, the server itself.
            let away = ["08", "25", "40", "53", "55", "57", "58", "XX"];
            error.code().is_some_and(|code| !away.iter().any(|class| code.starts_with(class)))
        }
        StoreError::Database(error) => {
            matches!(error, sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_))
        }
        _ => false,
    }
}

#[expect(clippy::too_many_lines, reason = "one query")]
async fn load_together(pool: &PgPool, leases: &[Lease]) -> Result<Vec<LeasedJob>> {
    let ids: Vec<Uuid> = leases.iter().map(|lease| lease.id.0).collect();
    let earliest = leases.iter().map(|lease| lease.event.timestamp).min().unwrap_or_default();
    let latest = leases.iter().map(|lease| lease.event.timestamp).max().unwrap_or_default();
    // Each is looked up by its key: joined, the planner would rather read all triggers. A
    // hypertable looks into the chunks between two times, which it is told of.
    // A NULL or a second dimension in `topics`, and a time that is infinite or too large to be
    // written, would break the query for all of its leases.
    let rows = sqlx::query!(
        r#"SELECT * FROM (
           SELECT j.id AS job_id, t.name AS trigger_name, a.action_type, a.retry,
                  a.config::text AS "config!",
                  (SELECT definition->>'finality' FROM trigger_versions
                   WHERE trigger_id = j.trigger_id AND version = j.trigger_version) AS finality,
                  e.id AS "id!", e.chain_id AS "chain_id!", e.block_number AS "block_number!",
                  e.block_hash AS "block_hash!", e.transaction_hash AS "transaction_hash!",
                  e.log_index AS "log_index!", e.event_type AS "event_type!",
                  e.registry AS "registry!", e."timestamp" AS "timestamp!",
                  CASE WHEN e.created_at BETWEEN 'epoch' AND '9999-12-31Z' THEN e.created_at
                       ELSE 'epoch' END AS "created_at!",
                  e.agent_id::text AS agent_id, read.data, e.address,
                  e.data IS NOT NULL AND read.data IS NULL AS "is_unreadable!",
                  to_jsonb(e.topics)::text AS topics, read.log_data,
                  e.invalidated AS "invalidated!", e.revision AS "revision!",
                  0::bigint AS "inserted_at_ms!", j.readings::text AS readings,
                  j.reorg_old_hash, j.reorg_new_hash, j.reorg_fork_block,
                  j.reincluded AS "reincluded: Json<Reinclusion>",
                  coalesce(sum(read.bytes) OVER until, 0) - read.bytes AS bytes_before,
                  -- Ends the reading where there is no room left: see claim_shards().
                  count(*) FILTER (WHERE read.bytes >= $4::bigint / 128) OVER until AS long,
                  count(*) FILTER (WHERE read.bytes >= $4::bigint / 2) OVER until AS longest
           FROM unnest($1::uuid[]) WITH ORDINALITY AS leased (id, place)
           CROSS JOIN LATERAL (SELECT * FROM jobs WHERE jobs.id = leased.id LIMIT 1) AS j
           LEFT JOIN LATERAL (
               SELECT * FROM events
               WHERE events.id = j.event_id AND events."timestamp" = j.event_timestamp
                 AND events."timestamp" BETWEEN $2 AND $3
                 AND (events.revision = j.event_revision OR j.retracts IS NOT NULL)
               LIMIT 1
           ) AS now ON true
           -- What a retraction takes back, the row may say no more.
           CROSS JOIN LATERAL (
               (SELECT r.id, r.chain_id, r.block_number, r.block_hash, r.transaction_hash,
                       r.log_index, r.event_type, r.registry, r."timestamp", r.created_at,
                       r.agent_id, r.data, r.address, r.topics, r.log_data, r.invalidated,
                       r.revision
                FROM superseded_events r
                WHERE j.retracts IS NOT NULL AND r.id = j.event_id
                  AND r."timestamp" = j.event_timestamp AND r.revision >= j.event_revision
                  AND (now.revision IS NULL OR r.revision < now.revision)
                ORDER BY r.revision
                LIMIT 1)
               UNION ALL
               SELECT now.id, now.chain_id, now.block_number, now.block_hash,
                      now.transaction_hash, now.log_index, now.event_type, now.registry,
                      now."timestamp", now.created_at, now.agent_id, now.data, now.address,
                      now.topics, now.log_data, now.invalidated, now.revision
               WHERE now.id IS NOT NULL
               LIMIT 1
           ) AS e
           CROSS JOIN LATERAL (
               SELECT data, log_data,
                      coalesce(octet_length(data), 0) + coalesce(octet_length(log_data), 0) AS bytes
               FROM (SELECT CASE WHEN pg_column_size(e.data) <= 1800
                                      AND pg_column_compression(e.data) IS NULL
                                 THEN e.data::text ELSE arguments_text(e.data) END,
                            CASE WHEN octet_length(e.log_data) <= 8388610 THEN e.log_data END
                     OFFSET 0) AS written (data, log_data)
           ) AS read
           CROSS JOIN LATERAL (
               SELECT name FROM triggers WHERE triggers.id = j.trigger_id LIMIT 1
           ) AS t
           CROSS JOIN LATERAL (
               SELECT action_type, config, retry FROM trigger_actions
               WHERE trigger_id = j.trigger_id AND action_id = j.action_id
                 AND version = j.action_version
               LIMIT 1
           ) AS a
           WINDOW until AS (ORDER BY leased.place ROWS UNBOUNDED PRECEDING)) AS loaded
           WHERE bytes_before < $4::bigint AND long <= 128 AND longest <= 2"#,
        &ids,
        earliest,
        latest,
        BYTES_MAX,
    )
    .fetch_all(pool)
    .await?;
    let by_id: std::collections::BTreeMap<JobId, &Lease> =
        leases.iter().map(|lease| (lease.id, lease)).collect();
    Ok(rows
        .into_iter()
        .filter_map(|row| {
            let lease = (*by_id.get(&JobId(row.job_id))?).clone();
            let (config, retry) = terms_of(&row.config, row.retry.as_deref());
            let reorg = reorg(row.reorg_old_hash, row.reorg_new_hash, row.reorg_fork_block);
            Some(LeasedJob {
                trigger_name: row.trigger_name,
                finality: row.finality.and_then(|text| text.parse().ok()).unwrap_or_default(),
                action_type: row.action_type,
                config,
                retry,
                event: as_leased(&lease, event!("events", row)),
                lease,
                event_created_at: row.created_at,
                log_data: row.log_data,
                readings: row.readings.and_then(|text| RawValue::from_string(text).ok()),
                reorg,
                reincluded: row.reincluded.map(|Json(reincluded)| reincluded),
            })
        })
        .collect())
}

/// The configuration and the own schedule of an action: neither, if either cannot be read.
fn terms_of(
    config: &str,
    retry: Option<&str>,
) -> (std::result::Result<ConfigNode, String>, Option<RetrySchedule>) {
    let config = serde_json::from_str(config).map_err(|error| error.to_string());
    match retry.map(str::parse::<RetrySchedule>).transpose() {
        Ok(retry) => (config, retry),
        Err(error) => (Err(format!("retry: {error}")), None),
    }
}

/// A retraction says the same in all of its attempts, however the row changes meanwhile.
fn as_leased(lease: &Lease, event: Event) -> Event {
    match lease.retracts {
        Some(_) => Event { invalidated: true, revision: lease.revision, ..event },
        None => event,
    }
}

fn reorg(
    old_hash: Option<String>,
    new_hash: Option<String>,
    fork_block: Option<i64>,
) -> Option<Reorg> {
    old_hash.map(|old_hash| Reorg { fork_block, old_hash, new_hash })
}
