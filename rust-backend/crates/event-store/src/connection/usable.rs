//! Judges a session by whether it can do our work.
//!
//! A server may answer and not serve: a session takes no writes on a standby, nor, as long as it
//! lives, if it began while `default_transaction_read_only` was on. Such a session is
//! closed, and the next one may lead to a server that serves.

use std::time::Duration;

use sqlx::{PgConnection, PgExecutor, Row as _};
use tokio::time::timeout;

use crate::{Result, StoreError};

/// The time in which a session has to show that it works.
const ANSWER_MAX: Duration = Duration::from_secs(1);

/// True if the session answers, and takes writes.
pub(crate) async fn works(connection: &mut PgConnection) -> bool {
    matches!(timeout(ANSWER_MAX, refuse_read_only(connection)).await, Ok(Ok(())))
}

/// Fails where the session takes no writes.
///
/// # Errors
/// [`StoreError::ReadOnly`], or the session does not answer.
pub(crate) async fn refuse_read_only(session: impl PgExecutor<'_>) -> Result<()> {
    let asked = "SELECT current_setting('transaction_read_only') = 'on', pg_is_in_recovery()";
    let row = sqlx::raw_sql(asked).fetch_one(session).await?;
    let says = match (row.try_get(0)?, row.try_get(1)?) {
        (false, _) => return Ok(()),
        (true, true) => "the server is a standby",
        (true, false) => "default_transaction_read_only is on",
    };
    Err(StoreError::ReadOnly { says: says.to_owned() })
}
