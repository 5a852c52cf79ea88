//! Tables `triggers`, `trigger_versions`, `trigger_actions` and `trigger_set`.

mod apply;
mod changes;
mod definitions;

use std::collections::BTreeMap;

use event_engine::event::ChainId;
use event_engine::index::{IndexBuilder, TriggerIndex};
use event_engine::trigger::{Start, Trigger, TriggerId};
use futures::TryStreamExt as _;
use sqlx::PgConnection;
use sqlx::types::Json;
use uuid::Uuid;

use self::definitions::{Compiled, Definitions};

pub use self::apply::{
    Applied, Removed, TriggerChange, TriggerPlan, apply, apply_planned, disable, forget_heads, plan,
};
use crate::Result;

/// The height of a head, by chain.
pub(crate) type HeadHeights = BTreeMap<ChainId, i64>;

/// A start as it is stored.
pub(crate) fn start(since: i64, heads: Option<Json<HeadHeights>>) -> Start {
    Start { since, heads: heads.map(|heads| heads.0).unwrap_or_default() }
}

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
                  v.since, v.heads AS "heads: Json<HeadHeights>", v.action_ids,
                  v.action_versions
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
                    start: start(row.since, row.heads),
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
            problem, "A stored trigger cannot be parsed; skipped"
        );
    }
    Ok(())
}
