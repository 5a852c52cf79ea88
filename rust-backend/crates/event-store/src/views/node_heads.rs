//! The heads of the chains' nodes, as an operator looks at them.

use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::PgPool;

use crate::Result;

/// A node's head, as a reader of the chain saw it last.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SeenHead {
    /// The chain.
    pub chain_id: i64,
    /// `indexer` or `auditor`.
    pub reader: String,
    /// The node: its key in the settings, and its URL without secrets.
    pub node: String,
    /// The head's height.
    pub block_number: i64,
    /// Blocks between it and the highest head of the chain.
    pub blocks_behind: i64,
    /// When this block was first seen as the head.
    pub seen_at: DateTime<Utc>,
}

/// The heads of all nodes, by chain.
pub async fn all(pool: &PgPool) -> Result<Vec<SeenHead>> {
    let heads = sqlx::query_as!(
        SeenHead,
        r#"SELECT chain_id, reader, node, block_number,
                  max(block_number) OVER (PARTITION BY chain_id) - block_number
                      AS "blocks_behind!",
                  seen_at
           FROM node_heads ORDER BY chain_id, reader, node"#,
    )
    .fetch_all(pool)
    .await?;
    Ok(heads)
}
