//! Its tables, and the triggers of the load in them.

use anyhow::Result;
use serde_json::{Value, json};
use sqlx::{Executor as _, PgPool};
use uuid::Uuid;

use crate::load::{Kind, NEVER_FIELD, TriggerSet};

/// Makes the tables, with the same triggers in them as ours are given.
pub(crate) async fn prepare(pool: &PgPool, triggers: &TriggerSet) -> Result<()> {
    pool.execute(include_str!("schema.sql")).await?;
    let mut ids: Vec<Uuid> = Vec::new();
    let mut chains: Vec<i64> = Vec::new();
    let mut kinds: Vec<Kind> = Vec::new();
    let mut agents: Vec<Option<String>> = Vec::new();
    let mut actions: Vec<Value> = Vec::new();
    for number in 0..triggers.count {
        let wide = triggers.wide(number);
        let (chain, kind) = TriggerSet::pair(number);
        ids.push(TriggerSet::id(number).0);
        chains.push(wide.unwrap_or(chain));
        kinds.push(if wide.is_some() { Kind::Reputation } else { kind });
        agents.push(wide.is_none().then(|| TriggerSet::agent(number).to_string()));
        actions.push(json!([{"type": "webhook", "url": triggers.url(number)}]));
    }
    let registries: Vec<&str> = kinds.iter().map(|kind| kind.registry()).collect();
    let events: Vec<&str> = kinds.iter().map(|kind| kind.event()).collect();
    let conditions: Vec<Value> = (kinds.iter().zip(&agents))
        .map(|(kind, agent)| conditions(*kind, agent.is_none()))
        .collect();
    sqlx::query(
        "INSERT INTO triggers (id, chain_id, registry, event_type, agent_id, conditions, actions)
         SELECT id, chain_id, registry, event_type, agent_id::numeric, conditions, actions
         FROM unnest($1::uuid[], $2::bigint[], $3::text[], $4::text[], $5::text[], $6::jsonb[],
                     $7::jsonb[])
              AS new (id, chain_id, registry, event_type, agent_id, conditions, actions)",
    )
    .bind(&ids)
    .bind(&chains)
    .bind(&registries)
    .bind(&events)
    .bind(&agents)
    .bind(&conditions)
    .bind(&actions)
    .execute(pool)
    .await?;
    pool.execute("ANALYZE triggers").await?;
    Ok(())
}

fn conditions(kind: Kind, never: bool) -> Value {
    let (_, all) = kind.condition();
    let never_fires = [NEVER_FIELD];
    let all = if never { &never_fires[..] } else { all };
    let of = |(field, operator, value): &(&str, &str, &str)| {
        let value: Value = serde_json::from_str(value).expect("a JSON value");
        json!({"field": field, "operator": operator, "value": value})
    };
    all.iter().map(of).collect()
}
