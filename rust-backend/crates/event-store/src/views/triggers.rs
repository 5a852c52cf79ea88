//! Triggers, as they are shown to their account.

use std::collections::BTreeMap;

use event_engine::delivery::job_state::JobState;
use event_engine::trigger::config::ConfigNode;
use event_engine::trigger::{Definition, Start, TriggerId};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;
use sqlx::PgPool;
use sqlx::types::Json;
use uuid::Uuid;

use super::slice::{ReadRow, Slice, slice};
use crate::triggers::{HeadHeights, start};
use crate::{Result, StoreError};

/// The latest jobs, of all triggers, among which those of each are counted.
pub const JOBS_COUNTED_MAX: i64 = 10_000;

/// A trigger as its account may see it once its actions are described by their kinds: a stored
/// configuration may hold a secret.
#[derive(Clone, Debug, Serialize)]
pub struct TriggerOverview<A = StoredAction> {
    /// Its id.
    pub id: String,
    /// Its account.
    pub account: String,
    /// Its name.
    pub name: String,
    /// `active`, `disabled` or `removed`.
    pub state: String,
    /// The version in force.
    pub version: i32,
    /// The events from which it fires.
    #[serde(flatten)]
    pub start: Start,
    /// Its selectors and its condition.
    pub definition: Definition,
    /// Its actions.
    pub actions: Vec<A>,
    /// Its jobs of each state, among the latest [`JOBS_COUNTED_MAX`] of all triggers.
    pub jobs: BTreeMap<JobState, i64>,
}

/// The version of an action that is in force.
#[derive(Clone, Debug, Deserialize)]
pub struct StoredAction {
    /// Its id.
    pub id: String,
    /// The version.
    pub version: i32,
    /// The name of its kind.
    pub kind: String,
    /// Its own retry schedule, as `0s,5s,5m`; `None`: the one of all actions.
    pub retry: Option<String>,
    /// Milliseconds after which a match is stale; `None`: never.
    pub expires_ms: Option<i64>,
    /// The kind's own keys, or the reason why the stored ones cannot be read.
    #[serde(deserialize_with = "read_config")]
    pub config: std::result::Result<ConfigNode, String>,
}

/// Reads a configuration, whose fault is no fault of the row.
fn read_config<'de, D: Deserializer<'de>>(
    stored: D,
) -> std::result::Result<std::result::Result<ConfigNode, String>, D::Error> {
    let text = Box::<RawValue>::deserialize(stored)?;
    Ok(serde_json::from_str(text.get()).map_err(|error| error.to_string()))
}

impl<A> TriggerOverview<A> {
    /// The same trigger with its actions described by `describe`.
    pub fn describe<B>(self, describe: impl FnMut(A) -> B) -> TriggerOverview<B> {
        let Self { id, account, name, state, version, start, definition, actions, jobs } = self;
        let actions = actions.into_iter().map(describe).collect();
        TriggerOverview { id, account, name, state, version, start, definition, actions, jobs }
    }
}

/// Reads a slice of the triggers of an account that have not been removed, by name.
pub async fn list(
    pool: &PgPool,
    account: &str,
    after: Option<&str>,
    rows_max: i64,
) -> Result<Slice<TriggerOverview, String>> {
    let mut read = Vec::new();
    for row in rows(pool, account, Asked::Behind(after), rows_max.saturating_add(1)).await? {
        let (position, place) = (row.name.clone(), row.place);
        read.push(ReadRow { row: row.overview()?, position, place, is_wanted: true });
    }
    Ok(slice(read, rows_max))
}

/// A trigger of an account, unless it has been removed.
pub async fn by_name(pool: &PgPool, account: &str, name: &str) -> Result<Option<TriggerOverview>> {
    let found = rows(pool, account, Asked::Named(name), 1).await?.pop();
    found.map(StoredTrigger::overview).transpose()
}

/// Which triggers are read.
enum Asked<'a> {
    /// The one of this name.
    Named(&'a str),
    /// Those behind this name; `None`: from the first one.
    Behind(Option<&'a str>),
}

async fn rows(
    pool: &PgPool,
    account: &str,
    asked: Asked<'_>,
    rows_max: i64,
) -> Result<Vec<StoredTrigger>> {
    let (id, after) = match asked {
        Asked::Named(name) => (Some(TriggerId::of(account, name).0), None),
        Asked::Behind(after) => (None, after),
    };
    let rows = sqlx::query_as!(
        StoredTrigger,
        r#"WITH counted AS (
               SELECT trigger_id, json_object_agg(state, number) AS jobs
               FROM (SELECT trigger_id, state, count(*) AS number
                     FROM (SELECT trigger_id, state FROM jobs
                           ORDER BY created_at DESC, uuid_send(id) DESC LIMIT $5) AS latest
                     GROUP BY trigger_id, state) AS of_state
               GROUP BY trigger_id)
           SELECT t.id AS "id!", t.account AS "account!", t.name AS "name!", t.state AS "state!",
                  v.version, v.since, v.heads AS "heads: Json<HeadHeights>",
                  place AS "place!", v.definition::text AS "definition!",
                  (SELECT json_agg(json_build_object('id', a.action_id, 'version', a.version,
                                                     'kind', a.action_type, 'retry', a.retry,
                                                     'expires_ms', a.expires_ms,
                                                     'config', a.config) ORDER BY n.ordinality)
                   FROM unnest(v.action_ids, v.action_versions) WITH ORDINALITY
                        AS n (id, version, ordinality)
                   JOIN trigger_actions a ON a.trigger_id = t.id AND a.action_id = n.id
                        AND a.version = n.version)::text AS "actions!",
                  coalesce(counted.jobs, '{}')::text AS "jobs!"
           FROM (SELECT listed.*, row_number() OVER () AS place
                 FROM ((SELECT * FROM triggers
                        WHERE $2::uuid IS NULL AND account = $1 AND state <> 'removed'
                          AND name > coalesce($3, '')
                        ORDER BY name LIMIT $4)
                       UNION ALL
                       (SELECT * FROM triggers
                        WHERE id = $2 AND state <> 'removed')) AS listed) AS t
           JOIN trigger_versions v ON v.trigger_id = t.id AND v.version = t.version
           LEFT JOIN counted ON counted.trigger_id = t.id"#,
        account,
        id,
        after,
        rows_max,
        JOBS_COUNTED_MAX,
    )
    .fetch_all(pool)
    .await?;
    Ok(rows)
}

/// A row.
struct StoredTrigger {
    id: Uuid,
    account: String,
    name: String,
    state: String,
    version: i32,
    since: i64,
    heads: Option<Json<HeadHeights>>,
    place: i64,
    definition: String,
    actions: String,
    jobs: String,
}

impl StoredTrigger {
    fn overview(self) -> Result<TriggerOverview> {
        let id = self.id.to_string();
        let broken = |column, error: serde_json::Error| StoreError::BrokenRow {
            table: "trigger_versions",
            column,
            id: id.clone(),
            problem: error.to_string(),
        };
        let stored: Vec<StoredAction> =
            serde_json::from_str(&self.actions).map_err(|error| broken("actions", error))?;
        Ok(TriggerOverview {
            definition: serde_json::from_str(&self.definition)
                .map_err(|error| broken("definition", error))?,
            jobs: serde_json::from_str(&self.jobs).map_err(|error| broken("jobs", error))?,
            actions: stored,
            account: self.account,
            name: self.name,
            state: self.state,
            version: self.version,
            start: start(self.since, self.heads),
            id,
        })
    }
}
