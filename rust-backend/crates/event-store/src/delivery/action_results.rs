//! Table `action_results`: one row an attempt.

use event_engine::decide::Supersession;
use sqlx::PgConnection;

use crate::Result;

/// Marks the results of revisions below the number given: the chain has invalidated them. Those of
/// retractions stay true.
pub(crate) async fn invalidate(
    connection: &mut PgConnection,
    supersessions: &[&Supersession],
) -> Result<()> {
    let (ids, times, below) = crate::delivery::jobs::columns_of(supersessions);
    sqlx::query!(
        r#"UPDATE action_results r SET invalidated = true
           FROM unnest($1::text[], $2::bigint[], $3::integer[]) AS w (id, "timestamp", below)
           WHERE r.event_id = w.id AND r.event_timestamp = w."timestamp"
             AND r.event_revision < w.below AND NOT r.invalidated
             AND NOT EXISTS (SELECT FROM jobs j WHERE j.id = r.job_id AND j.retracts IS NOT NULL)"#,
        &ids as &[&str],
        &times,
        &below,
    )
    .execute(connection)
    .await?;
    Ok(())
}
