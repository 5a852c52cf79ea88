//! Changing the set of triggers: all of a document or nothing of it.

use std::collections::BTreeMap;

use chrono::Utc;
use event_engine::trigger::{Definition, Since, TriggerId, TriggerSpec};
use serde_json::Value;
use sqlx::types::Json;
use sqlx::{PgConnection, PgPool, PgTransaction};
use uuid::Uuid;

use crate::Result;
use crate::chain::known_chains::{self, NamedBy};

/// The result of applying a document.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Applied {
    /// The revision of the set now in force.
    pub revision: i64,
    /// Each trigger of the document.
    pub triggers: Vec<(String, TriggerChange)>,
    /// Triggers of the account that were removed because the document does not name them.
    pub removed: Vec<Removed>,
}

/// The effect on a trigger.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum TriggerChange {
    /// It is new, or had been removed.
    Created,
    /// It has a new version, or is active again.
    Updated,
    /// It is as before.
    Unchanged,
}

/// A trigger that was removed.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Removed {
    /// Its name.
    pub name: String,
    /// The number of its pending jobs that were cancelled.
    pub jobs_cancelled: u64,
}

/// The stored trigger.
struct KnownTrigger {
    state: String,
    version: i32,
    latest_version: i32,
    lineage: i32,
    definition: Value,
    since: i64,
    /// Unix seconds.
    created_at: i64,
    actions: Vec<(String, i32)>,
}

impl KnownTrigger {
    /// True if its state goes on under the new definition. A trigger that was not judged for a
    /// while, or observed something else, begins afresh.
    fn carries_on(&self, definition: &Definition) -> bool {
        let stored = serde_json::from_value::<Definition>(self.definition.clone());
        self.state == "active" && stored.is_ok_and(|stored| definition.carries_on(&stored))
    }
}

/// The latest version of each action by trigger and id.
type StoredActions = BTreeMap<(Uuid, String), LatestAction>;

struct LatestAction {
    version: i32,
    kind: String,
    config: Value,
}

/// Puts the triggers of `account` in force. With `prune`, triggers that the document does not name
/// are removed and their pending jobs cancelled. Once this returns nothing is judged by the earlier
/// set.
pub async fn apply(
    pool: &PgPool,
    account: &str,
    specs: &[TriggerSpec],
    prune: bool,
) -> Result<Applied> {
    let mut transaction = pool.begin().await?;
    one_at_a_time(&mut transaction).await?;
    let ids: Vec<Uuid> = specs.iter().map(|spec| TriggerId::of(account, &spec.name).0).collect();
    let known = stored(&mut transaction, &ids).await?;
    let known_actions = stored_actions(&mut transaction, &ids).await?;

    let now = Utc::now().timestamp();
    let mut rows = Changes::default();
    let mut triggers = Vec::with_capacity(specs.len());
    for (spec, id) in specs.iter().zip(&ids) {
        let change = rows.add(*id, spec, known.get(id), &known_actions, now);
        triggers.push((spec.name.clone(), change));
    }
    rows.write(&mut transaction, account).await?;
    let chains: Vec<i64> =
        specs.iter().flat_map(|spec| &spec.definition.selectors.chains).copied().collect();
    known_chains::name(&mut transaction, &chains, NamedBy::Trigger).await?;
    let gone =
        if prune { remove_others(&mut transaction, account, &ids).await? } else { Vec::new() };
    known_chains::forget_unnamed(&mut transaction).await?;
    let changed = !gone.is_empty() || triggers.iter().any(|(_, c)| *c != TriggerChange::Unchanged);
    let revision = put_in_force(&mut transaction, changed).await?;
    let removed = cancel_jobs(&mut transaction, gone).await?;
    transaction.commit().await?;
    Ok(Applied { revision, triggers, removed })
}

/// Takes a trigger out of force without removing it. False without a trigger of that name.
pub async fn disable(pool: &PgPool, account: &str, name: &str) -> Result<bool> {
    let mut transaction = pool.begin().await?;
    one_at_a_time(&mut transaction).await?;
    let done = sqlx::query!(
        "UPDATE triggers SET state = 'disabled', updated_at = now()
         WHERE account = $1 AND name = $2 AND state <> 'removed'",
        account,
        name,
    )
    .execute(&mut *transaction)
    .await?;
    let found = done.rows_affected() > 0;
    known_chains::forget_unnamed(&mut transaction).await?;
    put_in_force(&mut transaction, found).await?;
    transaction.commit().await?;
    Ok(found)
}

/// Two documents are applied one after the other. A lock on a table, which strangers have no right
/// to.
async fn one_at_a_time(connection: &mut PgConnection) -> Result<()> {
    sqlx::query!("LOCK TABLE triggers IN SHARE ROW EXCLUSIVE MODE").execute(connection).await?;
    Ok(())
}

/// Waits for the batches under way, which hold the set shared, and bumps its revision. Until the
/// commit that follows no batch begins, so it comes late; and before any job is touched, because a
/// batch holds the set while it touches jobs.
async fn put_in_force(transaction: &mut PgTransaction<'static>, changed: bool) -> Result<i64> {
    if !changed {
        return super::revision(transaction).await;
    }
    sqlx::query!("LOCK TABLE trigger_set IN EXCLUSIVE MODE").execute(&mut **transaction).await?;
    let revision =
        sqlx::query_scalar!("UPDATE trigger_set SET revision = revision + 1 RETURNING revision")
            .fetch_one(&mut **transaction)
            .await?;
    Ok(revision)
}

async fn stored(
    connection: &mut PgConnection,
    ids: &[Uuid],
) -> Result<BTreeMap<Uuid, KnownTrigger>> {
    let rows = sqlx::query!(
        r#"SELECT t.id, t.state, t.version, v.lineage, v.definition, v.since, v.action_ids,
                  v.action_versions, extract(epoch FROM t.created_at)::bigint AS "created_at!",
                  (SELECT max(version) FROM trigger_versions a WHERE a.trigger_id = t.id)
                      AS "latest_version!"
           FROM triggers t
           JOIN trigger_versions v ON v.trigger_id = t.id AND v.version = t.version
           WHERE t.id = ANY($1)"#,
        ids,
    )
    .fetch_all(connection)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| {
            let stored = KnownTrigger {
                state: row.state,
                version: row.version,
                lineage: row.lineage,
                latest_version: row.latest_version,
                definition: row.definition,
                since: row.since,
                created_at: row.created_at,
                actions: row.action_ids.into_iter().zip(row.action_versions).collect(),
            };
            (row.id, stored)
        })
        .collect())
}

async fn stored_actions(connection: &mut PgConnection, ids: &[Uuid]) -> Result<StoredActions> {
    let rows = sqlx::query!(
        "SELECT DISTINCT ON (trigger_id, action_id) trigger_id, action_id, version, action_type,
                config
         FROM trigger_actions WHERE trigger_id = ANY($1)
         ORDER BY trigger_id, action_id, version DESC",
        ids,
    )
    .fetch_all(connection)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| {
            let latest =
                LatestAction { version: row.version, kind: row.action_type, config: row.config };
            ((row.trigger_id, row.action_id), latest)
        })
        .collect())
}

/// Rows to write, as columns for `unnest`.
#[derive(Default)]
struct Changes {
    ids: Vec<Uuid>,
    names: Vec<String>,
    versions: Vec<i32>,
    lineages: Vec<i32>,
    definitions: Vec<Json<Value>>,
    sinces: Vec<i64>,
    /// JSON arrays: arrays of arrays do not unnest.
    action_ids: Vec<Json<Vec<String>>>,
    action_versions: Vec<Json<Vec<i32>>>,
    actions: Vec<(Uuid, String, i32, String, Value)>,
}

impl Changes {
    fn add(
        &mut self,
        id: Uuid,
        spec: &TriggerSpec,
        stored: Option<&KnownTrigger>,
        stored_actions: &StoredActions,
        now: i64,
    ) -> TriggerChange {
        let alive = stored.filter(|stored| stored.state != "removed");
        let definition = serde_json::to_value(&spec.definition).expect("a definition is JSON");
        let since = match (spec.since, alive) {
            (Since::Time(time), _) => time,
            (Since::Creation, Some(stored)) => stored.created_at,
            (Since::Creation, None) => now,
        };
        let mut new_actions = Vec::new();
        let mut actions = Vec::with_capacity(spec.actions.len());
        for action in &spec.actions {
            let config = serde_json::to_value(&action.config).expect("a configuration is JSON");
            let version = match stored_actions.get(&(id, action.id.clone())) {
                Some(latest) if latest.kind == action.kind && latest.config == config => {
                    latest.version
                }
                latest => {
                    let version = latest.map_or(1, |latest| latest.version + 1);
                    let kind = action.kind.clone();
                    new_actions.push((id, action.id.clone(), version, kind, config));
                    version
                }
            };
            actions.push((action.id.clone(), version));
        }
        if let Some(stored) = alive {
            let same = stored.state == "active"
                && stored.definition == definition
                && stored.since == since
                && stored.actions == actions;
            if same {
                return TriggerChange::Unchanged;
            }
        }
        self.actions.append(&mut new_actions);
        self.ids.push(id);
        self.names.push(spec.name.clone());
        let version = stored.map_or(1, |stored| stored.latest_version.max(stored.version) + 1);
        self.versions.push(version);
        let carried = alive.filter(|stored| stored.carries_on(&spec.definition));
        self.lineages.push(carried.map_or(version, |stored| stored.lineage));
        self.definitions.push(Json(definition));
        self.sinces.push(since);
        let (action_ids, action_versions) = actions.into_iter().unzip();
        self.action_ids.push(Json(action_ids));
        self.action_versions.push(Json(action_versions));
        if alive.is_some() { TriggerChange::Updated } else { TriggerChange::Created }
    }

    async fn write(&self, connection: &mut PgConnection, account: &str) -> Result<()> {
        if self.ids.is_empty() {
            return Ok(());
        }
        sqlx::query!(
            "INSERT INTO triggers AS t (id, account, name, version)
             SELECT new.id, $1, new.name, new.version
             FROM unnest($2::uuid[], $3::text[], $4::integer[]) AS new (id, name, version)
             ON CONFLICT (id) DO UPDATE
             SET version = excluded.version, state = 'active', updated_at = now(),
                 created_at = CASE WHEN t.state = 'removed' THEN now() ELSE t.created_at END",
            account,
            &self.ids,
            &self.names,
            &self.versions,
        )
        .execute(&mut *connection)
        .await?;
        sqlx::query!(
            "INSERT INTO trigger_versions (trigger_id, version, lineage, definition, since,
                                           action_ids, action_versions)
             SELECT new.id, new.version, new.lineage, new.definition, new.since,
                    ARRAY(SELECT jsonb_array_elements_text(new.action_ids)),
                    ARRAY(SELECT jsonb_array_elements_text(new.action_versions)::integer)
             FROM unnest($1::uuid[], $2::integer[], $3::jsonb[], $4::bigint[], $5::jsonb[],
                         $6::jsonb[], $7::integer[])
                  AS new (id, version, definition, since, action_ids, action_versions, lineage)",
            &self.ids,
            &self.versions,
            &self.definitions as &[Json<Value>],
            &self.sinces,
            &self.action_ids as &[Json<Vec<String>>],
            &self.action_versions as &[Json<Vec<i32>>],
            &self.lineages,
        )
        .execute(&mut *connection)
        .await?;
        self.write_actions(connection).await
    }

    async fn write_actions(&self, connection: &mut PgConnection) -> Result<()> {
        let triggers: Vec<Uuid> = self.actions.iter().map(|action| action.0).collect();
        let ids: Vec<&str> = self.actions.iter().map(|action| action.1.as_str()).collect();
        let versions: Vec<i32> = self.actions.iter().map(|action| action.2).collect();
        let kinds: Vec<&str> = self.actions.iter().map(|action| action.3.as_str()).collect();
        let configs: Vec<Value> = self.actions.iter().map(|action| action.4.clone()).collect();
        sqlx::query!(
            "INSERT INTO trigger_actions (trigger_id, action_id, version, action_type, config)
             SELECT * FROM unnest($1::uuid[], $2::text[], $3::integer[], $4::text[], $5::jsonb[])",
            &triggers,
            &ids as &[&str],
            &versions,
            &kinds as &[&str],
            &configs,
        )
        .execute(connection)
        .await?;
        Ok(())
    }
}

async fn remove_others(
    connection: &mut PgConnection,
    account: &str,
    kept: &[Uuid],
) -> Result<Vec<(Uuid, String)>> {
    let removed = sqlx::query!(
        "UPDATE triggers SET state = 'removed', updated_at = now()
         WHERE account = $1 AND state <> 'removed' AND id <> ALL($2)
         RETURNING id, name",
        account,
        kept,
    )
    .fetch_all(connection)
    .await?;
    Ok(removed.into_iter().map(|row| (row.id, row.name)).collect())
}

async fn cancel_jobs(
    connection: &mut PgConnection,
    removed: Vec<(Uuid, String)>,
) -> Result<Vec<Removed>> {
    let mut reports = Vec::with_capacity(removed.len());
    for (id, name) in removed {
        let jobs_cancelled = crate::delivery::jobs::cancel_of_triggers(connection, &[id]).await?;
        reports.push(Removed { name, jobs_cancelled });
    }
    reports.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(reports)
}
