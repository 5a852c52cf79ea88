//! The settings of our sessions.
//!
//! They are set by statements once a session is open: a pooler refuses parameters that it does not
//! know at the start, or is told to drop them.

use sqlx::PgConnection;
use sqlx::error::DatabaseError;
use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection as _, SqlStr};

use crate::{Result, StoreError};

/// - A stalled holder of a shard loses its transaction, and with it the shard, after 1.5 s without
///   a word or without reading its answer. An abandoned call ends in the server, too, and releases
///   its locks.
/// - `search_path` stands over the role's own: a schema that is named like the role, or a temporary
///   table, would stand in front of our tables.
/// - Our statements ask by key, and each has its index. The statistics of a table that has just
///   been filled say otherwise, and then a plan is kept that reads all of it.
/// - Rows that are read together are counted as they are written, and end where there is no room
///   left (see `claim_shards()`): a window that spills to disk would first read all of it.
/// - Nothing of ours is worth compiling; a wrong estimate costs a second of it.
/// - Each statement of ours sees all that was committed before it, against the role's default.
const SETTINGS: &str = "
    SET idle_in_transaction_session_timeout = '1500ms';
    SET client_connection_check_interval = '1s';
    SET tcp_keepalives_idle = 1;
    SET tcp_keepalives_interval = 1;
    SET tcp_keepalives_count = 3;
    SET tcp_user_timeout = '1500ms';
    SET search_path = public, pg_temp;
    SET enable_seqscan = off;
    SET enable_bitmapscan = off;
    SET work_mem = '256MB';
    SET jit = off;
    SET default_transaction_isolation = 'read committed'";

/// Opens a session with our settings.
///
/// # Errors
/// As for [`connect`](crate::connect).
pub(crate) async fn open(options: &PgConnectOptions) -> Result<PgConnection> {
    let mut connection = PgConnection::connect_with(options).await.map_err(not_opened)?;
    apply(&mut connection).await?;
    Ok(connection)
}

/// Gives a fresh session our settings.
pub(crate) async fn apply(connection: &mut PgConnection) -> sqlx::Result<()> {
    sqlx::raw_sql(SqlStr::from_static(SETTINGS)).execute(connection).await?;
    Ok(())
}

/// The reason why a session was not opened. 08P01 is a violation of the protocol, which a pooler
/// says of a parameter that it does not pass on.
fn not_opened(error: sqlx::Error) -> StoreError {
    match error.as_database_error().and_then(DatabaseError::code).as_deref() {
        Some("08P01") => StoreError::Parameter(error),
        _ => error.into(),
    }
}
