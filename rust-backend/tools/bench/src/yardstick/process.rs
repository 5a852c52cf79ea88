//! The yardstick's process: listens, and spawns a task for each notification.

use anyhow::Result;
use redis::AsyncConnectionConfig;
use redis::aio::MultiplexedConnection;
use serde::Deserialize;
use serde_json::Value;
use service::config::Settings;
use sqlx::PgPool;
use sqlx::postgres::{PgListener, PgPoolOptions};
use uuid::Uuid;

use super::evaluate::{self, Condition};
use super::{Job, QUEUE, Reading, by_agent, by_registry};

/// Connections of its pool: sqlx's default.
const CONNECTIONS: u32 = 10;

#[derive(Deserialize)]
struct Notification {
    event_id: String,
}

/// The columns that it reads of an event.
#[derive(Debug, Default, sqlx::FromRow)]
pub(super) struct Event {
    pub(super) id: String,
    pub(super) chain_id: i64,
    #[sqlx(rename = "event_type")]
    pub(super) kind: String,
    pub(super) registry: String,
    pub(super) timestamp: i64,
    pub(super) agent_id: Option<String>,
    pub(super) data: Value,
}

/// A trigger that an event may match.
pub(super) struct Candidate {
    pub(super) id: Uuid,
    pub(super) conditions: Vec<Condition>,
    pub(super) actions: Vec<Value>,
}

/// Runs the process until it is killed.
pub(crate) async fn main(settings: &Settings, reading: Reading) -> Result<()> {
    let pool =
        PgPoolOptions::new().max_connections(CONNECTIONS).connect(settings.database_url()?).await?;
    // Without the client's timeout of half a second, which would lose pushes.
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
                    if let Err(error) = process(&payload, reading, &pool, redis).await {
                        tracing::error!(%error, "Processing failed");
                    }
                });
            }
            Err(error) => tracing::error!(%error, "Error receiving notification"),
        }
    }
}

async fn process(
    payload: &str,
    reading: Reading,
    pool: &PgPool,
    mut redis: MultiplexedConnection,
) -> Result<()> {
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
    let candidates = match reading {
        Reading::Design => by_registry::candidates(pool, &event).await?,
        Reading::ByAgent => by_agent::candidates(pool, &event).await?,
    };
    for Candidate { id: trigger_id, conditions, actions } in candidates {
        if !evaluate::matches(&conditions, &event) {
            continue;
        }
        for action in actions {
            let (event_id, timestamp) = (event.id.clone(), event.timestamp);
            let job = serde_json::to_string(&Job { trigger_id, event_id, timestamp, action })?;
            let () = redis::cmd("LPUSH").arg(QUEUE).arg(job).query_async(&mut redis).await?;
        }
    }
    Ok(())
}
