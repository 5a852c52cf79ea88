//! The most favourable reading: a single indexed lookup by the event's agent.

use anyhow::Result;
use serde_json::{Value, json};
use sqlx::types::Json;
use sqlx::{Executor as _, PgPool};
use uuid::Uuid;

use super::evaluate::Condition;
use super::process::{Candidate, Event};
use super::schema::Rule;

#[derive(sqlx::FromRow)]
struct Row {
    id: Uuid,
    conditions: Json<Vec<Condition>>,
    actions: Json<Vec<Value>>,
}

/// The triggers of the event's agent, and those of every agent.
pub(super) async fn candidates(pool: &PgPool, event: &Event) -> Result<Vec<Candidate>> {
    let rows: Vec<Row> = sqlx::query_as(
        "SELECT id, conditions, actions FROM triggers
         WHERE active AND chain_id = $1 AND registry = $2 AND event_type = $3
           AND (agent_id = $4::numeric OR agent_id IS NULL)",
    )
    .bind(event.chain_id)
    .bind(&event.registry)
    .bind(&event.kind)
    .bind(&event.agent_id)
    .fetch_all(pool)
    .await?;
    let candidate =
        |row: Row| Candidate { id: row.id, conditions: row.conditions.0, actions: row.actions.0 };
    Ok(rows.into_iter().map(candidate).collect())
}

/// Makes the table.
pub(super) async fn prepare(pool: &PgPool, rules: &[Rule<'_>]) -> Result<()> {
    pool.execute(include_str!("by_agent.sql")).await?;
    sqlx::query(
        "INSERT INTO triggers (id, chain_id, registry, event_type, agent_id, conditions, actions)
         SELECT id, chain_id, registry, event_type, agent_id::numeric, conditions, actions
         FROM unnest($1::uuid[], $2::bigint[], $3::text[], $4::text[], $5::text[], $6::jsonb[],
                     $7::jsonb[])
              AS new (id, chain_id, registry, event_type, agent_id, conditions, actions)",
    )
    .bind(rules.iter().map(|rule| rule.id).collect::<Vec<_>>())
    .bind(rules.iter().map(|rule| rule.chain).collect::<Vec<_>>())
    .bind(rules.iter().map(|rule| rule.kind.registry()).collect::<Vec<_>>())
    .bind(rules.iter().map(|rule| rule.kind.event()).collect::<Vec<_>>())
    .bind(rules.iter().map(|rule| rule.agent.as_deref()).collect::<Vec<_>>())
    .bind(rules.iter().map(|rule| Json(&rule.conditions)).collect::<Vec<_>>())
    .bind(rules.iter().map(actions).collect::<Vec<_>>())
    .execute(pool)
    .await?;
    pool.execute("ANALYZE triggers").await?;
    Ok(())
}

fn actions(rule: &Rule<'_>) -> Value {
    json!([{"type": "webhook", "url": rule.url}])
}
