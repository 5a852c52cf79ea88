//! Tables `triggers`, `trigger_versions`, `trigger_actions` and `trigger_set`.

mod apply;
mod definitions;

use event_engine::delivery::job_state::JobState;
use event_engine::index::{IndexBuilder, TriggerIndex};
use event_engine::trigger::{Definition, Trigger, TriggerId};
use futures::TryStreamExt as _;
use sqlx::{PgConnection, PgPool};
use uuid::Uuid;

use self::definitions::{Compiled, Definitions};

pub use self::apply::{Applied, Change, Removed, apply, disable};
use crate::{Result, StoreError};

/// The revision of the set of triggers.
async fn revision(connection: &mut PgConnection) -> Result<i64> {
    let revision =
        sqlx::query_scalar!("SELECT revision FROM trigger_set").fetch_one(connection).await?;
    Ok(revision)
}

/// The triggers in force, indexed as they come. One whose definition no longer reads is left out
/// and reported: it must not stop the others.
///
/// There may be a million, so a row has nothing in it that judging does not need: with the names of
/// its account and its own, the planner takes a way through the indexes that is twice as long.
pub(crate) async fn in_force(connection: &mut PgConnection, revision: i64) -> Result<TriggerIndex> {
    let mut index = IndexBuilder::default();
    let mut definitions = Definitions::default();
    let mut broken = Vec::new();
    let mut rows = sqlx::query!(
        r#"SELECT v.trigger_id, v.version, v.lineage, v.definition::text AS "definition!",
                  v.since, v.action_ids, v.action_versions
           FROM triggers t
           JOIN trigger_versions v ON v.trigger_id = t.id AND v.version = t.version
           WHERE t.state = 'active'
           ORDER BY v.trigger_id"#,
    )
    .fetch(&mut *connection);
    while let Some(row) = rows.try_next().await? {
        match definitions.read(&row.definition) {
            Ok(Compiled { selectors, condition, group_by, cooldown_s, finality }) => {
                index.add(Trigger {
                    id: TriggerId(row.trigger_id),
                    version: row.version,
                    selectors,
                    condition,
                    group_by,
                    cooldown_s,
                    finality,
                    lineage: row.lineage,
                    since: row.since,
                    actions: row.action_ids.into_iter().zip(row.action_versions).collect(),
                });
            }
            Err(problem) => broken.push((row.trigger_id, row.version, problem)),
        }
    }
    drop(rows);
    report(connection, &broken).await?;
    Ok(index.finish(revision))
}

async fn report(connection: &mut PgConnection, broken: &[(Uuid, i32, String)]) -> Result<()> {
    if broken.is_empty() {
        return Ok(());
    }
    let ids: Vec<Uuid> = broken.iter().map(|(id, ..)| *id).collect();
    let named = sqlx::query!(
        "SELECT t.account, t.name
         FROM unnest($1::uuid[]) WITH ORDINALITY AS b (id, place)
         JOIN triggers t ON t.id = b.id
         ORDER BY b.place",
        &ids,
    )
    .fetch_all(connection)
    .await?;
    for ((id, version, problem), trigger) in broken.iter().zip(named) {
        tracing::error!(
            trigger = %id, account = trigger.account, name = trigger.name, version,
            problem, "A stored trigger does not read; it is left out"
        );
    }
    Ok(())
}

/// A trigger as it is shown to its account. Secrets are not in it.
#[derive(Clone, Debug, serde::Serialize)]
pub struct Overview {
    /// Its id.
    pub id: TriggerIdText,
    /// Its account.
    pub account: String,
    /// Its name.
    pub name: String,
    /// `active`, `disabled` or `removed`.
    pub state: String,
    /// The version in force.
    pub version: i32,
    /// Block time from which it fires, unix seconds.
    pub since: i64,
    /// What it says.
    pub definition: Definition,
    /// Its actions.
    pub actions: Vec<ActionOverview>,
    /// Jobs of each state.
    pub jobs: std::collections::BTreeMap<JobState, i64>,
}

/// An id as text, for output.
pub type TriggerIdText = String;

/// An action as it is shown to its account.
#[derive(Clone, Debug, serde::Serialize)]
pub struct ActionOverview {
    /// Its id.
    pub id: String,
    /// The version in force.
    pub version: i32,
    /// The kind.
    #[serde(rename = "type")]
    pub kind: String,
    /// Where it goes.
    pub destination: String,
    /// Where its secret is kept; never the secret.
    pub secret: String,
}

/// The triggers of an account that have not been removed, by name.
pub async fn list(pool: &PgPool, account: &str) -> Result<Vec<Overview>> {
    let rows = sqlx::query!(
        r#"SELECT t.id, t.account, t.name, t.state, v.version, v.since,
                  v.definition::text AS "definition!",
                  (SELECT json_agg(json_build_object('id', a.action_id, 'version', a.version,
                                                     'config', a.config) ORDER BY n.ordinality)
                   FROM unnest(v.action_ids, v.action_versions) WITH ORDINALITY
                        AS n (id, version, ordinality)
                   JOIN trigger_actions a ON a.trigger_id = t.id AND a.action_id = n.id
                        AND a.version = n.version)::text AS "actions!",
                  (SELECT coalesce(json_object_agg(state, number), '{}')
                   FROM (SELECT state, count(*) AS number FROM jobs
                         WHERE jobs.trigger_id = t.id GROUP BY state) AS j)::text AS "jobs!"
           FROM triggers t
           JOIN trigger_versions v ON v.trigger_id = t.id AND v.version = t.version
           WHERE t.account = $1 AND t.state <> 'removed'
           ORDER BY t.name"#,
        account,
    )
    .fetch_all(pool)
    .await?;
    rows.into_iter()
        .map(|row| {
            let id = row.id.to_string();
            let broken = |column, error: serde_json::Error| StoreError::BrokenRow {
                table: "trigger_versions",
                column,
                id: id.clone(),
                problem: error.to_string(),
            };
            let stored: Vec<StoredAction> =
                serde_json::from_str(&row.actions).map_err(|e| broken("actions", e))?;
            Ok(Overview {
                definition: serde_json::from_str(&row.definition)
                    .map_err(|e| broken("definition", e))?,
                jobs: serde_json::from_str(&row.jobs).map_err(|e| broken("jobs", e))?,
                actions: stored.into_iter().map(ActionOverview::from).collect(),
                account: row.account,
                name: row.name,
                state: row.state,
                version: row.version,
                since: row.since,
                id,
            })
        })
        .collect()
}

#[derive(serde::Deserialize)]
struct StoredAction {
    id: String,
    version: i32,
    config: event_engine::trigger::action::ActionConfig,
}

impl From<StoredAction> for ActionOverview {
    fn from(stored: StoredAction) -> Self {
        let event_engine::trigger::action::ActionConfig::Webhook { url, secret } = &stored.config;
        Self {
            kind: stored.config.kind().to_owned(),
            destination: url.clone(),
            secret: format!("{secret:?}"),
            id: stored.id,
            version: stored.version,
        }
    }
}
