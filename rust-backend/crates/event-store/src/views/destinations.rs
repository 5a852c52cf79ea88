//! Destinations, as their account sees them.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use event_engine::delivery::job_state::JobState;
use serde::{Deserialize, Serialize};
use sqlx::PgPool;
use sqlx::types::Json;
use uuid::Uuid;

use super::slice::{ReadRow, Slice, slice};
use super::triggers::JOBS_COUNTED_MAX;
use crate::Result;

/// Held jobs of one destination that are counted.
pub const HELD_COUNTED_MAX: i64 = 1_000;
/// Actions of one destination that are named.
const ACTIONS_MAX: i64 = 1_000;

/// A row of `destinations`, and its held jobs.
#[derive(Clone, Debug, Serialize)]
pub struct DestinationOverview {
    /// Its name: `KIND-` and the beginning of its id, or as its account named it.
    pub name: String,
    /// Its id, a function of account, kind and address.
    pub id: Uuid,
    /// The kind of its actions.
    pub kind: String,
    /// The address as the kind has it.
    pub address: String,
    /// True if the address is a URL, which is shown shortened.
    #[serde(skip)]
    pub is_url: bool,
    /// The machine or account behind it: a host and its port.
    pub origin: String,
    /// Since when it is held; null where it is not.
    pub held_at: Option<DateTime<Utc>>,
    /// Why it is held.
    pub held_reason: Option<String>,
    /// Its held jobs, counted up to [`HELD_COUNTED_MAX`].
    pub jobs_held: i64,
    /// The part of them that waits for a disabled trigger.
    pub jobs_of_disabled_triggers: i64,
    /// When the oldest of the counted ones was decided.
    pub oldest_held_at: Option<DateTime<Utc>>,
    /// When an action with this destination was applied first.
    pub created_at: DateTime<Utc>,
    #[serde(skip)]
    place: i64,
}

/// The actions and jobs of a destination.
#[derive(Clone, Debug, Default, Serialize)]
pub struct DestinationUse {
    /// Its jobs of each state, among the latest [`JOBS_COUNTED_MAX`] of all destinations.
    pub jobs: BTreeMap<JobState, i64>,
    /// The actions that go there, of triggers that are active or disabled.
    pub actions: Vec<UsedBy>,
}

/// An action that goes to a destination.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct UsedBy {
    /// The name of its trigger.
    pub trigger: String,
    /// `active` or `disabled`.
    pub trigger_state: String,
    /// Its id.
    pub action: String,
}

/// Reads a slice of the destinations of an account, by name.
pub async fn list(
    pool: &PgPool,
    account: &str,
    after: Option<&str>,
    rows_max: i64,
) -> Result<Slice<DestinationOverview, String>> {
    let mut read = Vec::new();
    for row in rows(pool, account, None, after, rows_max.saturating_add(1)).await? {
        let (position, place) = (row.name.clone(), row.place);
        read.push(ReadRow { row, position, place, is_wanted: true });
    }
    Ok(slice(read, rows_max))
}

/// A destination of an account.
pub async fn by_name(
    pool: &PgPool,
    account: &str,
    name: &str,
) -> Result<Option<DestinationOverview>> {
    Ok(rows(pool, account, Some(name), None, 1).await?.pop())
}

/// Reads the destination of a name, or without a name a part of the list behind `after`.
async fn rows(
    pool: &PgPool,
    account: &str,
    name: Option<&str>,
    after: Option<&str>,
    rows_max: i64,
) -> Result<Vec<DestinationOverview>> {
    let rows = sqlx::query_as!(
        DestinationOverview,
        r#"SELECT d.id AS "id!", d.name AS "name!", d.kind AS "kind!", d.address AS "address!",
                  d.form = 'url' AS "is_url!", d.origin AS "origin!", d.held_at, d.held_reason,
                  held.number AS "jobs_held!", held.disabled AS "jobs_of_disabled_triggers!",
                  held.oldest AS oldest_held_at, d.created_at AS "created_at!",
                  d.place AS "place!"
           FROM (SELECT listed.*, row_number() OVER () AS place
                 FROM ((SELECT * FROM destinations
                        WHERE $2::text IS NULL AND account = $1 AND name > coalesce($3, '')
                        ORDER BY name LIMIT $4)
                       UNION ALL
                       (SELECT * FROM destinations
                        WHERE account = $1 AND name = $2)) AS listed) AS d
           CROSS JOIN LATERAL (
               SELECT count(*) AS number, min(created_at) AS oldest,
                      count(*) FILTER (WHERE NOT is_retraction AND (
                          SELECT state FROM triggers WHERE triggers.id = trigger_id
                      ) = 'disabled') AS disabled
               FROM (SELECT created_at, trigger_id, retracts IS NOT NULL AS is_retraction
                     FROM jobs
                     WHERE state = 'held' AND destination_id = d.id LIMIT $5) AS counted
           ) AS held"#,
        account,
        name,
        after,
        rows_max,
        HELD_COUNTED_MAX,
    )
    .fetch_all(pool)
    .await?;
    Ok(rows)
}

/// The use of a destination.
pub async fn used_by(pool: &PgPool, id: Uuid) -> Result<DestinationUse> {
    let row = sqlx::query!(
        r#"SELECT (SELECT json_object_agg(state, number)
                   FROM (SELECT state, count(*) AS number
                         FROM (SELECT state, destination_id FROM jobs
                               ORDER BY created_at DESC, uuid_send(id) DESC LIMIT $2) AS latest
                         WHERE destination_id = $1
                         GROUP BY state) AS of_state) AS "jobs: Json<BTreeMap<JobState, i64>>",
                  (SELECT json_agg(json_build_object('trigger', name, 'trigger_state', state,
                                                     'action', action_id)
                                   ORDER BY name, action_id)
                   FROM (SELECT t.name, t.state, a.action_id
                         FROM trigger_actions a
                         JOIN triggers t ON t.id = a.trigger_id AND t.state <> 'removed'
                         JOIN trigger_versions v ON v.trigger_id = t.id AND v.version = t.version
                         WHERE a.destination_id = $1 AND EXISTS (
                             SELECT FROM unnest(v.action_ids, v.action_versions) AS n (id, version)
                             WHERE n.id = a.action_id AND n.version = a.version)
                         LIMIT $3) AS used
                  ) AS "actions: Json<Vec<UsedBy>>""#,
        id,
        JOBS_COUNTED_MAX,
        ACTIONS_MAX,
    )
    .fetch_one(pool)
    .await?;
    Ok(DestinationUse {
        jobs: row.jobs.map(|Json(jobs)| jobs).unwrap_or_default(),
        actions: row.actions.map(|Json(actions)| actions).unwrap_or_default(),
    })
}
