//! The gate between writers and sleepers, in the mode `gated`. The protocol stands in the migration
//! `create_notification_gate`, the argument for it in docs/decisions/0008.

use sqlx::PgExecutor;

use crate::Result;

/// Shuts the gate for this session, which has to be the listening one: without its notifications no
/// gate stays shut. True: every commit notifies from now on. False: a commit is under way, and the
/// gate stays open.
pub async fn shut(session: impl PgExecutor<'_>) -> Result<bool> {
    let shut = sqlx::query_scalar!(r#"SELECT shut_notification_gate() AS "shut!""#)
        .fetch_one(session)
        .await?;
    Ok(shut)
}

/// Opens it again, as far as this session is concerned.
pub async fn open(session: impl PgExecutor<'_>) -> Result<()> {
    sqlx::query!("SELECT open_notification_gate()").execute(session).await?;
    Ok(())
}
