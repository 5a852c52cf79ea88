//! The difference between a document and the stored triggers.

use std::collections::BTreeMap;

use event_engine::delivery::terms::{DeliveryTerms, Expiry};
use event_engine::trigger::action::ActionSpec;
use event_engine::trigger::{Definition, Since, Start, TriggerSpec};
use serde_json::Value;
use sqlx::PgConnection;
use sqlx::types::Json;
use uuid::Uuid;

use super::apply::TriggerChange;
use super::{HeadHeights, start};
use crate::Result;
use crate::delivery::destinations;

/// The age of a head, in seconds, from which its chain is late: more than the slowest chain's block
/// takes.
const LATE_SECONDS: i32 = 15;

/// The effect on each trigger of a document, and the rows to write, as columns for `unnest`.
#[derive(Default)]
pub(super) struct Changes {
    pub(super) triggers: Vec<(String, TriggerChange)>,
    ids: Vec<Uuid>,
    names: Vec<String>,
    versions: Vec<i32>,
    lineages: Vec<i32>,
    definitions: Vec<Json<Value>>,
    sinces: Vec<i64>,
    heads: Vec<Option<Json<HeadHeights>>>,
    /// JSON arrays: arrays of arrays do not unnest.
    action_ids: Vec<Json<Vec<String>>>,
    action_versions: Vec<Json<Vec<i32>>>,
    actions: Vec<NewAction>,
}

/// A version of an action that is to be stored.
struct NewAction {
    trigger: Uuid,
    version: i32,
    spec: ActionSpec,
    config: Value,
}

impl Changes {
    /// The changes from the stored triggers to `specs`. `ids` has the id of each trigger.
    pub(super) async fn of(
        connection: &mut PgConnection,
        specs: &[TriggerSpec],
        ids: &[Uuid],
    ) -> Result<Self> {
        let known = stored(connection, ids).await?;
        let known_actions = stored_actions(connection, ids).await?;
        let now = now(connection).await?;
        let mut changes = Self::default();
        for (spec, id) in specs.iter().zip(ids) {
            let change = changes.add(*id, spec, known.get(id), &known_actions, &now);
            changes.triggers.push((spec.name.clone(), change));
        }
        Ok(changes)
    }

    fn add(
        &mut self,
        id: Uuid,
        spec: &TriggerSpec,
        stored: Option<&KnownTrigger>,
        stored_actions: &StoredActions,
        now: &Start,
    ) -> TriggerChange {
        let alive = stored.filter(|stored| stored.state != "removed");
        let definition = serde_json::to_value(&spec.definition).expect("a definition is JSON");
        let start = match (spec.since, alive) {
            (Since::Time(time), _) => Start::at(time),
            (Since::Creation, Some(stored)) => stored.start.clone(),
            (Since::Creation, None) => now.clone(),
        };
        let mut new_actions = Vec::new();
        let mut actions = Vec::with_capacity(spec.actions.len());
        for action in &spec.actions {
            let config = serde_json::to_value(&action.config).expect("a configuration is JSON");
            let version = match stored_actions.get(&(id, action.id.clone())) {
                Some(latest) if latest.says(action, &config) => latest.version,
                latest => {
                    let version = latest.map_or(1, |latest| latest.version + 1);
                    let spec = action.clone();
                    new_actions.push(NewAction { trigger: id, version, spec, config });
                    version
                }
            };
            actions.push((action.id.clone(), version));
        }
        if let Some(stored) = alive {
            let same = stored.state == "active"
                && stored.definition == definition
                && stored.start == start
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
        self.sinces.push(start.since);
        self.heads.push(Some(start.heads).filter(|heads| !heads.is_empty()).map(Json));
        let (action_ids, action_versions) = actions.into_iter().unzip();
        self.action_ids.push(Json(action_ids));
        self.action_versions.push(Json(action_versions));
        if alive.is_some() { TriggerChange::Updated } else { TriggerChange::Created }
    }

    pub(super) async fn write(&self, connection: &mut PgConnection, account: &str) -> Result<()> {
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
                                           heads, action_ids, action_versions)
             SELECT new.id, new.version, new.lineage, new.definition, new.since, new.heads,
                    ARRAY(SELECT jsonb_array_elements_text(new.action_ids)),
                    ARRAY(SELECT jsonb_array_elements_text(new.action_versions)::integer)
             FROM unnest($1::uuid[], $2::integer[], $3::jsonb[], $4::bigint[], $5::jsonb[],
                         $6::jsonb[], $7::integer[], $8::jsonb[])
                  AS new (id, version, definition, since, action_ids, action_versions, lineage,
                          heads)",
            &self.ids,
            &self.versions,
            &self.definitions as &[Json<Value>],
            &self.sinces,
            &self.action_ids as &[Json<Vec<String>>],
            &self.action_versions as &[Json<Vec<i32>>],
            &self.lineages,
            &self.heads as &[Option<Json<HeadHeights>>],
        )
        .execute(&mut *connection)
        .await?;
        self.write_actions(connection, account).await
    }

    async fn write_actions(&self, connection: &mut PgConnection, account: &str) -> Result<()> {
        let specs = self.actions.iter().map(|action| &action.spec);
        let destinations = destinations::add(connection, account, specs).await?;
        let triggers: Vec<Uuid> = self.actions.iter().map(|action| action.trigger).collect();
        let ids: Vec<&str> = self.actions.iter().map(|action| action.spec.id.as_str()).collect();
        let versions: Vec<i32> = self.actions.iter().map(|action| action.version).collect();
        let kinds: Vec<&str> =
            self.actions.iter().map(|action| action.spec.kind.as_str()).collect();
        let (retries, expiries): (Vec<Option<String>>, Vec<Option<i64>>) =
            self.actions.iter().map(|action| stored_terms(&action.spec.terms)).unzip();
        let configs: Vec<Value> = self.actions.iter().map(|action| action.config.clone()).collect();
        sqlx::query!(
            "INSERT INTO trigger_actions (trigger_id, action_id, version, action_type, config,
                                          destination_id, retry, expires_ms)
             SELECT * FROM unnest($1::uuid[], $2::text[], $3::integer[], $4::text[], $5::jsonb[],
                                  $6::uuid[], $7::text[], $8::bigint[])",
            &triggers,
            &ids as &[&str],
            &versions,
            &kinds as &[&str],
            &configs,
            &destinations,
            &retries as &[Option<String>],
            &expiries as &[Option<i64>],
        )
        .execute(connection)
        .await?;
        Ok(())
    }
}

/// The stored trigger.
struct KnownTrigger {
    state: String,
    version: i32,
    latest_version: i32,
    lineage: i32,
    definition: Value,
    start: Start,
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
    terms: StoredTerms,
}

impl LatestAction {
    fn says(&self, action: &ActionSpec, config: &Value) -> bool {
        self.kind == action.kind
            && self.config == *config
            && self.terms == stored_terms(&action.terms)
    }
}

/// The terms of delivery as their columns have them: `retry` and `expires_ms`.
type StoredTerms = (Option<String>, Option<i64>);

fn stored_terms(terms: &DeliveryTerms) -> StoredTerms {
    (terms.retry.as_ref().map(ToString::to_string), terms.expires.map(Expiry::millis))
}

/// The start of a trigger that is made now: the transaction's time by the database's clock, and
/// the head of each chain whose blocks are late, since the next ones have times of before. A chain
/// is late if the head was old when a reader of ours saw it; a reader that is behind makes no chain
/// late. A chain that neither we nor Ponder read is judged by its writer's latest block.
async fn now(connection: &mut PgConnection) -> Result<Start> {
    let row = sqlx::query!(
        r#"WITH seen AS (
               SELECT chain_id, block_number, extract(epoch FROM seen_at) - block_time AS age
               FROM node_heads
               UNION ALL
               SELECT k.chain_id, block_number, extract(epoch FROM now()) - block_time
               FROM known_chains k
               CROSS JOIN LATERAL (
                   SELECT block_number, block_time FROM checkpoints c
                   WHERE c.chain_id = k.chain_id
                   UNION ALL
                   (SELECT block_number, "timestamp" FROM events e
                    WHERE e.chain_id = k.chain_id ORDER BY block_number DESC LIMIT 1)
               ) AS latest (block_number, block_time)
               WHERE NOT EXISTS (SELECT FROM chain_readers r WHERE r.chain_id = k.chain_id)
                 AND NOT EXISTS (SELECT FROM ponder_schemas p WHERE p.chain_id = k.chain_id)
           )
           SELECT floor(extract(epoch FROM now()))::bigint AS "now!",
                  (SELECT jsonb_object_agg(chain_id, block_number)
                   FROM (SELECT DISTINCT ON (chain_id) chain_id, block_number, age
                         FROM seen ORDER BY chain_id, block_number DESC, age NULLS LAST) AS head
                   WHERE age > $1::integer
                  ) AS "heads: Json<HeadHeights>""#,
        LATE_SECONDS,
    )
    .fetch_one(connection)
    .await?;
    Ok(start(row.now, row.heads))
}

async fn stored(
    connection: &mut PgConnection,
    ids: &[Uuid],
) -> Result<BTreeMap<Uuid, KnownTrigger>> {
    let rows = sqlx::query!(
        r#"SELECT t.id, t.state, t.version, v.lineage, v.definition, v.since,
                  v.heads AS "heads: Json<HeadHeights>", v.action_ids, v.action_versions,
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
                start: start(row.since, row.heads),
                actions: row.action_ids.into_iter().zip(row.action_versions).collect(),
            };
            (row.id, stored)
        })
        .collect())
}

async fn stored_actions(connection: &mut PgConnection, ids: &[Uuid]) -> Result<StoredActions> {
    let rows = sqlx::query!(
        "SELECT DISTINCT ON (trigger_id, action_id) trigger_id, action_id, version, action_type,
                config, retry, expires_ms
         FROM trigger_actions WHERE trigger_id = ANY($1)
         ORDER BY trigger_id, action_id, version DESC",
        ids,
    )
    .fetch_all(connection)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| {
            let latest = LatestAction {
                version: row.version,
                kind: row.action_type,
                config: row.config,
                terms: (row.retry, row.expires_ms),
            };
            ((row.trigger_id, row.action_id), latest)
        })
        .collect())
}
