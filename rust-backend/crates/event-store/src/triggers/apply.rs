//! Changing the set of triggers: all of a document or nothing of it.

use event_engine::event::ChainId;
use event_engine::trigger::{TriggerId, TriggerSpec};
use sqlx::{PgConnection, PgPool, PgTransaction};
use uuid::Uuid;

use super::changes::Changes;
use crate::Result;
use crate::chain::known_chains::{self, NamedBy};
use crate::delivery::jobs;

/// The result of applying a document.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Applied {
    /// The revision of the set now in force.
    pub revision: i64,
    /// Each trigger of the document.
    pub triggers: Vec<(String, TriggerChange)>,
    /// Triggers of the account that were removed because the document does not name them.
    pub removed: Vec<Removed>,
}

/// The effect on a trigger.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum TriggerChange {
    /// It is new, or had been removed.
    Created,
    /// It has a new version, or is active again.
    Updated,
    /// It is as before.
    Unchanged,
}

/// A trigger that is removed.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Removed {
    /// Its name.
    pub name: String,
    /// The number of its pending jobs, which are cancelled.
    pub jobs_cancelled: u64,
}

/// The effects that applying a document would have.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct TriggerPlan {
    /// The effect on each trigger of the document.
    pub triggers: Vec<(String, TriggerChange)>,
    /// Triggers of the account that would be removed, with their pending jobs.
    pub removed: Vec<Removed>,
}

/// Plans [`apply`], and changes nothing.
pub async fn plan(
    pool: &PgPool,
    account: &str,
    specs: &[TriggerSpec],
    prune: bool,
) -> Result<TriggerPlan> {
    let mut transaction = pool.begin().await?;
    let ids = ids_of(account, specs);
    let changes = Changes::of(&mut transaction, specs, &ids).await?;
    let removal = if prune { Removal::Others } else { Removal::Nothing };
    let gone = removal.of(&mut transaction, account, &ids).await?;
    let mut removed = Vec::with_capacity(gone.len());
    for (id, name) in gone {
        let jobs_cancelled = jobs::pending_of_trigger(&mut transaction, id).await?;
        removed.push(Removed { name, jobs_cancelled });
    }
    transaction.rollback().await?;
    Ok(TriggerPlan { triggers: changes.triggers, removed })
}

/// Puts the triggers of `account` in force. With `prune`, triggers that the document does not name
/// are removed and their pending jobs cancelled. Once this returns nothing is judged by the earlier
/// set.
pub async fn apply(
    pool: &PgPool,
    account: &str,
    specs: &[TriggerSpec],
    prune: bool,
) -> Result<Applied> {
    let removal = if prune { Removal::Others } else { Removal::Nothing };
    apply_and_remove(pool, account, specs, removal).await
}

/// Applies a document, and removes the triggers that the plan removes: a trigger that was made
/// after the plan stays.
pub async fn apply_planned(
    pool: &PgPool,
    account: &str,
    specs: &[TriggerSpec],
    plan: &TriggerPlan,
) -> Result<Applied> {
    let names: Vec<String> = plan.removed.iter().map(|removed| removed.name.clone()).collect();
    apply_and_remove(pool, account, specs, Removal::Named(&names)).await
}

async fn apply_and_remove(
    pool: &PgPool,
    account: &str,
    specs: &[TriggerSpec],
    removal: Removal<'_>,
) -> Result<Applied> {
    let mut transaction = pool.begin().await?;
    one_at_a_time(&mut transaction).await?;
    let ids = ids_of(account, specs);
    let changes = Changes::of(&mut transaction, specs, &ids).await?;
    changes.write(&mut transaction, account).await?;
    let chains: Vec<i64> =
        specs.iter().flat_map(|spec| &spec.definition.selectors.chains).copied().collect();
    known_chains::name(&mut transaction, &chains, NamedBy::Trigger).await?;
    let gone = removal.of(&mut transaction, account, &ids).await?;
    remove(&mut transaction, &gone).await?;
    known_chains::forget_unnamed(&mut transaction).await?;
    let triggers = changes.triggers;
    let differs = |(_, change): &(_, TriggerChange)| *change != TriggerChange::Unchanged;
    let is_changed = !gone.is_empty() || triggers.iter().any(differs);
    let revision = put_in_force(&mut transaction, is_changed).await?;
    let removed = cancel_jobs(&mut transaction, gone).await?;
    transaction.commit().await?;
    Ok(Applied { revision, triggers, removed })
}

fn ids_of(account: &str, specs: &[TriggerSpec]) -> Vec<Uuid> {
    specs.iter().map(|spec| TriggerId::of(account, &spec.name).0).collect()
}

/// Takes a trigger out of force without removing it. False without a trigger of that name.
pub async fn disable(pool: &PgPool, account: &str, name: &str) -> Result<bool> {
    let mut transaction = pool.begin().await?;
    one_at_a_time(&mut transaction).await?;
    let done = sqlx::query!(
        "UPDATE triggers SET state = 'disabled', updated_at = now()
         WHERE account = $1 AND name = $2 AND state <> 'removed'",
        account,
        name,
    )
    .execute(&mut *transaction)
    .await?;
    let found = done.rows_affected() > 0;
    known_chains::forget_unnamed(&mut transaction).await?;
    put_in_force(&mut transaction, found).await?;
    transaction.commit().await?;
    Ok(found)
}

/// Lets triggers that were made when the chain was late fire from its first block: it begins anew,
/// and the height of its head then says nothing any more.
pub async fn forget_heads(pool: &PgPool, chain_id: ChainId) -> Result<()> {
    let mut transaction = pool.begin().await?;
    one_at_a_time(&mut transaction).await?;
    let done = sqlx::query!(
        "UPDATE trigger_versions SET heads = jsonb_set(heads, ARRAY[$1::bigint::text], '-1')
         WHERE heads -> $1::bigint::text <> '-1'",
        chain_id.0,
    )
    .execute(&mut *transaction)
    .await?;
    put_in_force(&mut transaction, done.rows_affected() > 0).await?;
    transaction.commit().await?;
    Ok(())
}

/// Two documents are applied one after the other. A lock on a table, which strangers have no right
/// to.
async fn one_at_a_time(connection: &mut PgConnection) -> Result<()> {
    sqlx::query!("LOCK TABLE triggers IN SHARE ROW EXCLUSIVE MODE").execute(connection).await?;
    Ok(())
}

/// Waits for the batches under way, which hold the set shared, and bumps its revision. Until the
/// commit that follows no batch begins, so it comes late; and before any job is touched, because a
/// batch holds the set while it touches jobs.
async fn put_in_force(transaction: &mut PgTransaction<'static>, changed: bool) -> Result<i64> {
    if !changed {
        return super::revision(transaction).await;
    }
    sqlx::query!("LOCK TABLE trigger_set IN EXCLUSIVE MODE").execute(&mut **transaction).await?;
    let revision =
        sqlx::query_scalar!("UPDATE trigger_set SET revision = revision + 1 RETURNING revision")
            .fetch_one(&mut **transaction)
            .await?;
    Ok(revision)
}

/// The triggers of an account to remove, among the triggers that a document does not name.
#[derive(Clone, Copy)]
enum Removal<'a> {
    Nothing,
    Others,
    Named(&'a [String]),
}

impl Removal<'_> {
    /// Their ids and names, by name.
    async fn of(
        self,
        connection: &mut PgConnection,
        account: &str,
        kept: &[Uuid],
    ) -> Result<Vec<(Uuid, String)>> {
        let named = match self {
            Self::Nothing | Self::Named([]) => return Ok(Vec::new()),
            Self::Others => None,
            Self::Named(names) => Some(names),
        };
        let rows = sqlx::query!(
            "SELECT id, name FROM triggers
             WHERE account = $1 AND state <> 'removed' AND id <> ALL($2)
               AND ($3::text[] IS NULL OR name = ANY($3))
             ORDER BY name",
            account,
            kept,
            named,
        )
        .fetch_all(connection)
        .await?;
        Ok(rows.into_iter().map(|row| (row.id, row.name)).collect())
    }
}

async fn remove(connection: &mut PgConnection, gone: &[(Uuid, String)]) -> Result<()> {
    if gone.is_empty() {
        return Ok(());
    }
    let ids: Vec<Uuid> = gone.iter().map(|(id, _)| *id).collect();
    sqlx::query!(
        "UPDATE triggers SET state = 'removed', updated_at = now() WHERE id = ANY($1)",
        &ids,
    )
    .execute(connection)
    .await?;
    Ok(())
}

async fn cancel_jobs(
    connection: &mut PgConnection,
    gone: Vec<(Uuid, String)>,
) -> Result<Vec<Removed>> {
    let mut removed = Vec::with_capacity(gone.len());
    for (id, name) in gone {
        let jobs_cancelled = jobs::cancel_of_triggers(connection, &[id]).await?;
        removed.push(Removed { name, jobs_cancelled });
    }
    Ok(removed)
}
