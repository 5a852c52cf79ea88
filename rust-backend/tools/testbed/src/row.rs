//! An event as a stranger writes it, who knows only the table.

use sqlx::PgExecutor;

/// A row of `events`. A test changes the fields that matter to it.
#[derive(Clone, Debug)]
pub struct Row {
    /// The event's id.
    pub id: String,
    /// The chain.
    pub chain_id: i64,
    /// The block.
    pub block_number: i64,
    /// The block's hash.
    pub block_hash: String,
    /// Its log index in the block.
    pub log_index: i32,
    /// The event's name.
    pub event_type: String,
    /// The registry.
    pub registry: String,
    /// Block time, unix seconds.
    pub timestamp: i64,
    /// The agent, as a decimal string.
    pub agent_id: Option<String>,
    /// Decoded arguments, as JSON.
    pub data: Option<String>,
}

impl Row {
    /// An agent's registration on chain 1.
    pub fn new(id: &str) -> Self {
        Self {
            id: id.to_owned(),
            chain_id: 1,
            block_number: 1_000_000,
            block_hash: "0xaa".to_owned(),
            log_index: 0,
            event_type: "Registered".to_owned(),
            registry: "identity".to_owned(),
            timestamp: 1_750_000_000,
            agent_id: Some("42".to_owned()),
            data: None,
        }
    }

    /// Feedback with this score on chain 1.
    pub fn feedback(id: &str, score: i64) -> Self {
        Self {
            event_type: "NewFeedback".to_owned(),
            registry: "reputation".to_owned(),
            data: Some(format!(r#"{{"value": "{score}", "valueDecimals": 0, "tag1": "uptime"}}"#)),
            ..Self::new(id)
        }
    }

    /// Inserts it.
    ///
    /// # Errors
    /// PostgreSQL's.
    pub async fn insert(&self, executor: impl PgExecutor<'_>) -> sqlx::Result<()> {
        self.write(executor, "").await
    }

    /// Inserts it, or moves the stored event of its name to its block.
    ///
    /// # Errors
    /// PostgreSQL's.
    pub async fn upsert(&self, executor: impl PgExecutor<'_>) -> sqlx::Result<()> {
        let taken_over = " ON CONFLICT (id, \"timestamp\") DO UPDATE
             SET block_hash = excluded.block_hash, block_number = excluded.block_number";
        self.write(executor, taken_over).await
    }

    async fn write(&self, executor: impl PgExecutor<'_>, conflict: &str) -> sqlx::Result<()> {
        let statement = format!(
            "INSERT INTO events (id, chain_id, block_number, block_hash, transaction_hash,
                 log_index, event_type, registry, \"timestamp\", agent_id, data)
             VALUES ($1, $2, $3, $4, '0xtx', $5, $6, $7, $8, $9::text::numeric, $10::text::jsonb)
             {conflict}"
        );
        sqlx::query(sqlx::AssertSqlSafe(statement))
            .bind(&self.id)
            .bind(self.chain_id)
            .bind(self.block_number)
            .bind(&self.block_hash)
            .bind(self.log_index)
            .bind(&self.event_type)
            .bind(&self.registry)
            .bind(self.timestamp)
            .bind(&self.agent_id)
            .bind(&self.data)
            .execute(executor)
            .await?;
        Ok(())
    }
}
