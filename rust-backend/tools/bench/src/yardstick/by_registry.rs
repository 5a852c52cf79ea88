//! The literal reading: three lookups of all that is in force for the event's chain and registry.

use std::collections::HashMap;

use anyhow::Result;
use serde_json::{Value, json};
use sqlx::{Executor as _, PgPool};
use uuid::Uuid;

use super::evaluate::Condition;
use super::process::{Candidate, Event};
use super::schema::Rule;

#[derive(sqlx::FromRow)]
struct ConditionOf {
    trigger_id: Uuid,
    #[sqlx(flatten)]
    condition: Condition,
}

/// All triggers of the event's chain and registry, of any agent.
pub(super) async fn candidates(pool: &PgPool, event: &Event) -> Result<Vec<Candidate>> {
    let ids: Vec<Uuid> = sqlx::query_scalar(
        "SELECT id FROM triggers WHERE chain_id = $1 AND registry = $2 AND enabled",
    )
    .bind(event.chain_id)
    .bind(&event.registry)
    .fetch_all(pool)
    .await?;
    let conditions: Vec<ConditionOf> = sqlx::query_as(
        "SELECT trigger_id, field, operator, value FROM trigger_conditions
         WHERE trigger_id = ANY($1) ORDER BY trigger_id, id",
    )
    .bind(&ids)
    .fetch_all(pool)
    .await?;
    let actions: Vec<(Uuid, Value)> = sqlx::query_as(
        "SELECT trigger_id, config FROM trigger_actions
         WHERE trigger_id = ANY($1) ORDER BY trigger_id, id",
    )
    .bind(&ids)
    .fetch_all(pool)
    .await?;
    let mut conditions_of: HashMap<Uuid, Vec<Condition>> = HashMap::new();
    for ConditionOf { trigger_id, condition } in conditions {
        conditions_of.entry(trigger_id).or_default().push(condition);
    }
    let mut actions_of: HashMap<Uuid, Vec<Value>> = HashMap::new();
    for (trigger_id, config) in actions {
        actions_of.entry(trigger_id).or_default().push(config);
    }
    let candidate = |id: Uuid| Candidate {
        id,
        conditions: conditions_of.remove(&id).unwrap_or_default(),
        actions: actions_of.remove(&id).unwrap_or_default(),
    };
    Ok(ids.into_iter().map(candidate).collect())
}

/// Makes the tables. The agent is the first condition of a trigger, so that an evaluation ends
/// there. The event's type is not a condition, because a registry of the load has only one.
pub(super) async fn prepare(pool: &PgPool, rules: &[Rule<'_>]) -> Result<()> {
    pool.execute(include_str!("by_registry.sql")).await?;
    let ids: Vec<Uuid> = rules.iter().map(|rule| rule.id).collect();
    let chains: Vec<i64> = rules.iter().map(|rule| rule.chain).collect();
    let registries: Vec<&str> = rules.iter().map(|rule| rule.kind.registry()).collect();
    sqlx::query(
        "INSERT INTO triggers (id, chain_id, registry)
         SELECT * FROM unnest($1::uuid[], $2::bigint[], $3::text[])",
    )
    .bind(&ids)
    .bind(&chains)
    .bind(&registries)
    .execute(pool)
    .await?;
    let actions: Vec<Value> =
        rules.iter().map(|rule| json!({"type": "webhook", "url": rule.url})).collect();
    sqlx::query(
        "INSERT INTO trigger_actions (trigger_id, config)
         SELECT * FROM unnest($1::uuid[], $2::jsonb[])",
    )
    .bind(&ids)
    .bind(&actions)
    .execute(pool)
    .await?;
    let mut conditions: Vec<(Uuid, &str, &str, &str)> = Vec::new();
    for rule in rules {
        conditions.extend(rule.agent.iter().map(|agent| (rule.id, "agent_id", "==", &**agent)));
        let others = rule.conditions.iter();
        conditions.extend(others.map(|it| (rule.id, &*it.field, &*it.operator, &*it.value)));
    }
    sqlx::query(
        "INSERT INTO trigger_conditions (trigger_id, field, operator, value)
         SELECT * FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[])",
    )
    .bind(conditions.iter().map(|it| it.0).collect::<Vec<_>>())
    .bind(conditions.iter().map(|it| it.1).collect::<Vec<_>>())
    .bind(conditions.iter().map(|it| it.2).collect::<Vec<_>>())
    .bind(conditions.iter().map(|it| it.3).collect::<Vec<_>>())
    .execute(pool)
    .await?;
    pool.execute("ANALYZE triggers, trigger_conditions, trigger_actions").await?;
    Ok(())
}
