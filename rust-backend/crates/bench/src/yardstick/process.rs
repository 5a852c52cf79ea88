//! Its process: listens, and begins a task for each notification.

use anyhow::Result;
use redis::AsyncConnectionConfig;
use redis::aio::MultiplexedConnection;
use serde::Deserialize;
use serde_json::{Value, json};
use service::config::Settings;
use sqlx::PgPool;
use sqlx::postgres::{PgListener, PgPoolOptions};
use uuid::Uuid;

use super::evaluate::{self, Condition};
use super::{Job, QUEUE};

/// Connections of its pool: what sqlx gives to whoever asks for nothing.
const CONNECTIONS: u32 = 10;

#[derive(Deserialize)]
struct Notification {
    event_id: String,
}

#[derive(sqlx::FromRow)]
struct Event {
    id: String,
    chain_id: i64,
    block_number: i64,
    block_hash: String,
    transaction_hash: String,
    log_index: i32,
    #[sqlx(rename = "event_type")]
    kind: String,
    registry: String,
    timestamp: i64,
    agent_id: Option<String>,
    data: Option<Value>,
}

#[derive(sqlx::FromRow)]
struct Trigger {
    id: Uuid,
    conditions: sqlx::types::Json<Vec<Condition>>,
    actions: sqlx::types::Json<Vec<Value>>,
}

/// The whole life of the process; it is killed at the end.
pub(crate) async fn main(settings: &Settings) -> Result<()> {
    let pool =
        PgPoolOptions::new().max_connections(CONNECTIONS).connect(settings.database_url()?).await?;
    // Without the client's impatience of half a second, under which it would lose what it pushes.
    let config = AsyncConnectionConfig::new().set_response_timeout(None);
    let redis = redis::Client::open(settings.redis_url()?)?
        .get_multiplexed_async_connection_with_config(&config)
        .await?;
    tracing::info!("Connected to Redis");
    let mut listener = PgListener::connect_with(&pool).await?;
    listener.listen("new_event").await?;
    tracing::info!("Listening for PostgreSQL NOTIFY events on channel 'new_event'");
    loop {
        match listener.recv().await {
            Ok(notification) => {
                let (pool, redis) = (pool.clone(), redis.clone());
                let payload = notification.payload().to_owned();
                tokio::spawn(async move {
                    if let Err(error) = process(&payload, &pool, redis).await {
                        tracing::error!(%error, "Processing failed");
                    }
                });
            }
            Err(error) => tracing::error!(%error, "Error receiving notification"),
        }
    }
}

async fn process(payload: &str, pool: &PgPool, mut redis: MultiplexedConnection) -> Result<()> {
    let Notification { event_id } = serde_json::from_str(payload)?;
    tracing::debug!("Received notification for event: {event_id}");
    let event: Event = sqlx::query_as(
        r#"SELECT id, chain_id, block_number, block_hash, transaction_hash, log_index, event_type,
                  registry, "timestamp", agent_id::text AS agent_id, data
           FROM events WHERE id = $1"#,
    )
    .bind(&event_id)
    .fetch_one(pool)
    .await?;
    let Event { id, chain_id, registry, kind: event_type, .. } = &event;
    tracing::info!(
        "Processing event: {id} (chain_id={chain_id}, registry={registry}, event_type={event_type})"
    );
    let triggers: Vec<Trigger> = sqlx::query_as(
        "SELECT id, conditions, actions FROM triggers
         WHERE active AND chain_id = $1 AND registry = $2 AND event_type = $3
           AND (agent_id = $4::numeric OR agent_id IS NULL)",
    )
    .bind(chain_id)
    .bind(registry)
    .bind(event_type)
    .bind(&event.agent_id)
    .fetch_all(pool)
    .await?;
    let data = event.data.clone().unwrap_or_default();
    for trigger in triggers {
        if evaluate::matches(&trigger.conditions, &data) {
            for action in &trigger.actions.0 {
                let job = serde_json::to_string(&job(&trigger, action, &event, &data))?;
                let () = redis::cmd("LPUSH").arg(QUEUE).arg(job).query_async(&mut redis).await?;
            }
        }
    }
    Ok(())
}

fn job(trigger: &Trigger, action: &Value, event: &Event, data: &Value) -> Job {
    Job {
        trigger_id: trigger.id,
        event_id: event.id.clone(),
        timestamp: event.timestamp,
        action: action.clone(),
        event: json!({
            "chain_id": event.chain_id,
            "block_number": event.block_number,
            "block_hash": event.block_hash,
            "transaction_hash": event.transaction_hash,
            "log_index": event.log_index,
            "event_type": event.kind,
            "registry": event.registry,
            "agent_id": event.agent_id,
            "data": data,
        }),
    }
}
