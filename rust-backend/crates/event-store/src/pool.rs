//! Connections.

use std::str::FromStr;
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions};
use sqlx::{ConnectOptions, Connection as _};

use crate::Result;

/// A stalled holder of a shard loses its transaction, and with it the shard, after this time.
const IDLE_IN_TRANSACTION_MS_MAX: u32 = 1_500;
/// How long a caller waits for a free connection before it is an error.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(5);
/// A statement that takes longer is logged.
const SLOW_STATEMENT: Duration = Duration::from_secs(1);

/// Opens a pool of at most `connections_max` connections, and proves that one of them works.
///
/// # Errors
/// The URL does not parse, the server cannot be reached, or it refuses the login.
pub async fn connect(url: &str, application: &str, connections_max: u32) -> Result<PgPool> {
    let options = PgConnectOptions::from_str(url)?
        .application_name(application)
        .options([
            ("idle_in_transaction_session_timeout", IDLE_IN_TRANSACTION_MS_MAX.to_string()),
            ("tcp_keepalives_idle", "1".to_owned()),
            ("tcp_keepalives_interval", "1".to_owned()),
            ("tcp_keepalives_count", "3".to_owned()),
            // A generic plan would look into every chunk of the hypertable.
            ("plan_cache_mode", "force_custom_plan".to_owned()),
        ])
        .log_slow_statements(tracing::log::LevelFilter::Warn, SLOW_STATEMENT);
    // The pool would only say that it timed out.
    options.connect().await?.close().await?;
    let pool = PgPoolOptions::new()
        .max_connections(connections_max)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .connect_with(options)
        .await?;
    Ok(pool)
}
