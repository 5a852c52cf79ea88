//! The vouched chains (view `known_chains`), the operator's list of the chains for events to name
//! (`chain_list`), and the chains that our configuration or a trigger has named (`named_chains`).

use event_engine::event::ChainId;
use sqlx::{PgConnection, PgExecutor, PgPool};

use crate::Result;

/// Known chains that are looked after; a configuration of more has a limit to raise.
pub const KNOWN_MAX: i64 = 10_000;

/// The source of a chain's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NamedBy {
    /// `agentauri.toml`.
    File,
    /// A trigger's selectors.
    Trigger,
}

/// The known chains, at most [`KNOWN_MAX`]. Chains that only a trigger names come last, as a user
/// who may apply triggers could name any number of them.
pub async fn known(executor: impl PgExecutor<'_>) -> Result<Vec<ChainId>> {
    let ids = sqlx::query_scalar!(
        r#"SELECT chain_id AS "chain_id!" FROM known_chains
           ORDER BY vouching, chain_id LIMIT $1"#,
        KNOWN_MAX,
    )
    .fetch_all(executor)
    .await?;
    Ok(ids.into_iter().map(ChainId).collect())
}

/// Every chain that the log or a cursor names, and the known ones: reads as much as there are of
/// them.
pub async fn everywhere(pool: &PgPool) -> Result<Vec<ChainId>> {
    let ids = sqlx::query_scalar!(
        r#"WITH RECURSIVE logged (chain_id) AS (
               SELECT min(chain_id) FROM event_log
               UNION ALL
               SELECT (SELECT min(l.chain_id) FROM event_log l WHERE l.chain_id > s.chain_id)
               FROM logged s WHERE s.chain_id IS NOT NULL
           )
           SELECT chain_id AS "chain_id!" FROM logged WHERE chain_id IS NOT NULL
           UNION SELECT chain_id FROM shard_cursors
           UNION SELECT chain_id FROM known_chains
           ORDER BY 1"#,
    )
    .fetch_all(pool)
    .await?;
    Ok(ids.into_iter().map(ChainId).collect())
}

/// Notes that these chains were named. The file's word outlasts a trigger's.
pub async fn name(connection: &mut PgConnection, chains: &[i64], by: NamedBy) -> Result<()> {
    let by = match by {
        NamedBy::File => "file",
        NamedBy::Trigger => "trigger",
    };
    if !chains.is_empty() {
        sqlx::query!(
            "INSERT INTO named_chains (chain_id, named_by)
             SELECT DISTINCT chain_id, $2 FROM unnest($1::bigint[]) AS named (chain_id)
             ON CONFLICT (chain_id) DO UPDATE SET named_by = excluded.named_by
                 WHERE excluded.named_by = 'file' AND named_chains.named_by = 'trigger'",
            chains,
            by,
        )
        .execute(connection)
        .await?;
    }
    Ok(())
}

/// Forgets chains that only triggers had named and no active one names any more.
pub(crate) async fn forget_unnamed(connection: &mut PgConnection) -> Result<()> {
    sqlx::query!(
        "DELETE FROM named_chains n
         WHERE n.named_by = 'trigger' AND NOT EXISTS (
             SELECT FROM triggers t
             JOIN trigger_versions v ON v.trigger_id = t.id AND v.version = t.version
             CROSS JOIN jsonb_array_elements_text(v.definition -> 'chains') AS named (chain_id)
             WHERE t.state = 'active' AND named.chain_id::bigint = n.chain_id)",
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// The operator's list; empty where any chain may be named.
pub async fn listed(pool: &PgPool) -> Result<Vec<ChainId>> {
    let ids = sqlx::query_scalar!("SELECT chain_id FROM chain_list ORDER BY chain_id")
        .fetch_all(pool)
        .await?;
    Ok(ids.into_iter().map(ChainId).collect())
}

/// Chains of ours that a list of `chains`, and of those listed already, would leave out: chains of
/// the file, and with an indexer, an auditor, a checkpoint or Ponder, but not the ones named by
/// triggers alone.
pub async fn left_out(pool: &PgPool, chains: &[i64]) -> Result<Vec<ChainId>> {
    let ids = sqlx::query_scalar!(
        r#"SELECT chain_id AS "chain_id!" FROM known_chains
           WHERE vouching BETWEEN 2 AND 6 AND chain_id <> ALL ($1) ORDER BY vouching, chain_id"#,
        chains,
    )
    .fetch_all(pool)
    .await?;
    Ok(ids.into_iter().map(ChainId).collect())
}

/// Adds chains to the list. From then on events of no others are stored.
pub async fn allow(pool: &PgPool, chains: &[i64]) -> Result<()> {
    sqlx::query!(
        "INSERT INTO chain_list (chain_id)
         SELECT DISTINCT chain_id FROM unnest($1::bigint[]) AS allowed (chain_id)
         ON CONFLICT (chain_id) DO NOTHING",
        chains,
    )
    .execute(pool)
    .await?;
    Ok(())
}

/// Ends the list: any chain may be named.
pub async fn allow_any(pool: &PgPool) -> Result<()> {
    sqlx::query!("DELETE FROM chain_list").execute(pool).await?;
    Ok(())
}
