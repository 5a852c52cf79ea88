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

/// The progress of our indexer with a chain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ReadingProgress {
    /// The chain.
    pub chain_id: i64,
    /// Its highest stored block.
    pub stored_to: i64,
    /// The height up to which its logs were compared with those of ranges.
    pub logs_compared_to: Option<i64>,
    /// A block whose bloom filter was wrong: then no filter of the chain is believed.
    pub wrong_filter_at: Option<i64>,
}

/// The progress of our indexer with each chain that it has begun.
pub async fn progress(pool: &PgPool) -> Result<Vec<ReadingProgress>> {
    let progress = sqlx::query_as!(
        ReadingProgress,
        r#"SELECT r.chain_id, b.block_number AS "stored_to!", r.logs_compared_to,
                  r.wrong_filter_at
           FROM chain_readers r
           CROSS JOIN LATERAL (
               SELECT o.block_number FROM observed_blocks o
               WHERE o.chain_id = r.chain_id AND o.reader = r.reader
               ORDER BY o.block_number DESC LIMIT 1) AS b
           WHERE r.reader = 'indexer' AND r.began_at IS NOT NULL
           ORDER BY r.chain_id"#,
    )
    .fetch_all(pool)
    .await?;
    Ok(progress)
}
