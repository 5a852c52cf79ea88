//! Connections, and how long PostgreSQL may be silent on one.
//!
//! A connection can die without telling: a firewall forgets it, a machine goes, and no answer ever
//! comes. The driver would wait for ever, so each call of ours is [`answered`] within a limit, and
//! a connection is asked whether it still works before it goes back to the pool.

use std::str::FromStr;
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgConnection, PgPool, PgPoolOptions};
use sqlx::{ConnectOptions, Connection as _};
use tokio::time::timeout;
use tracing::log::LevelFilter;

use crate::{Result, StoreError};

/// A stalled holder of a shard loses its transaction, and with it the shard, after this time
/// without a word or without reading its answer.
const STALLED_MS_MAX: u32 = 1_500;
/// The time that a caller waits for a free connection before it is an error.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(5);
/// The limit of one call, several statements long. A slower one on a server that works is tried
/// again, a batch of a shard in halves.
const ANSWER_MAX: Duration = Duration::from_secs(5);
/// The same for reads without an end, such as a million triggers.
const LONG_ANSWER_MAX: Duration = Duration::from_secs(30);
/// The time in which a connection has to show that it works.
const PING_MAX: Duration = Duration::from_secs(1);
/// A connection that was used this recently is taken without a question.
const FRESH: Duration = Duration::from_millis(100);
/// A statement that takes longer is logged, where `RUST_LOG` has `sqlx::query=debug`.
const SLOW_STATEMENT: Duration = Duration::from_secs(1);

/// Opens a pool of at most `connections_max` connections, and proves that one of them works.
///
/// # Errors
/// The URL does not parse, the server cannot be reached, or it refuses the login.
pub async fn connect(url: &str, application: &str, connections_max: u32) -> Result<PgPool> {
    let options = PgConnectOptions::from_str(url)?
        .application_name(application)
        .options([
            ("idle_in_transaction_session_timeout", STALLED_MS_MAX.to_string()),
            // An abandoned call ends there, too, and releases its locks.
            ("client_connection_check_interval", "1s".to_owned()),
            ("tcp_keepalives_idle", "1".to_owned()),
            ("tcp_keepalives_interval", "1".to_owned()),
            ("tcp_keepalives_count", "3".to_owned()),
            ("tcp_user_timeout", STALLED_MS_MAX.to_string()),
            // Over the role's own settings: a schema that is named like the role, or a temporary
            // table, would stand in front of our tables.
            ("search_path", "public,pg_temp".to_owned()),
            // Our statements ask by key, and each has its index. The statistics of a table that
            // has just been filled say otherwise, and then a plan is kept that reads all of it.
            ("enable_seqscan", "off".to_owned()),
            ("enable_bitmapscan", "off".to_owned()),
            // Rows that are read together are counted as they are written, and end where there is
            // no room left (see claim_shards()): a window that spills to disk would first read all
            // of it.
            ("work_mem", "256MB".to_owned()),
            // Nothing of ours is worth compiling; a wrong estimate costs a second of it.
            ("jit", "off".to_owned()),
            // The driver would log notices like lines of ours.
            ("client_min_messages", "warning".to_owned()),
        ])
        // Statements are logged with their text: below the levels that are on by default.
        .log_statements(LevelFilter::Trace)
        .log_slow_statements(LevelFilter::Debug, SLOW_STATEMENT);
    // The pool would only say that it timed out.
    let proof = async { Ok(options.connect().await?.close().await?) };
    within(ANSWER_MAX, proof).await?;
    let pool = PgPoolOptions::new()
        .max_connections(connections_max)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .test_before_acquire(false)
        .before_acquire(|connection, used| {
            Box::pin(async move { Ok(used.idle_for < FRESH || works(connection).await) })
        })
        // The pool's own question has no limit: a connection that does not answer would never
        // come back, nor leave its place to another.
        .after_release(|connection, _| Box::pin(async { Ok(works(connection).await) }))
        .connect_with(options)
        .await?;
    Ok(pool)
}

pub(crate) async fn works(connection: &mut PgConnection) -> bool {
    matches!(timeout(PING_MAX, connection.ping()).await, Ok(Ok(())))
}

/// Gives up on a call that PostgreSQL does not answer, so that a loop goes on. The call's effect is
/// then not known; a commit may have succeeded.
///
/// # Errors
/// [`StoreError::Silent`], or the call's own.
pub async fn answered<T>(call: impl Future<Output = Result<T>>) -> Result<T> {
    within(ANSWER_MAX, call).await
}

/// The same for a call whose answer may be long, or that writes much.
///
/// # Errors
/// As for [`answered`].
pub async fn answered_at_length<T>(call: impl Future<Output = Result<T>>) -> Result<T> {
    within(LONG_ANSWER_MAX, call).await
}

async fn within<T>(limit: Duration, call: impl Future<Output = Result<T>>) -> Result<T> {
    timeout(limit, call).await.unwrap_or(Err(StoreError::Silent { limit }))
}
