//! Connections, and how long PostgreSQL may be silent on one.
//!
//! A connection can die without telling: a firewall forgets it, a machine goes, and no answer ever
//! comes. The driver would wait for ever, so each call of ours is [`answered`] within a limit, and
//! a connection is asked whether it still answers before it goes back to the pool, and whether it
//! can do our work before it is used again.

use std::str::FromStr;
use std::time::{Duration, Instant};

use sqlx::postgres::{PgConnectOptions, PgConnection, PgPool, PgPoolOptions};
use sqlx::{ConnectOptions as _, Connection as _, Row as _};
use tokio::time::timeout;
use tracing::log::LevelFilter;

use crate::connection::settings;
use crate::connection::usable::works;
use crate::{Result, StoreError};

/// The time that a caller waits for a free connection before it is an error.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(5);
/// The limit of one call, several statements long. A slower one on a server that works is tried
/// again, a batch of a shard in halves.
const ANSWER_MAX: Duration = Duration::from_secs(5);
/// The same for reads without an end, such as a million triggers.
const LONG_ANSWER_MAX: Duration = Duration::from_secs(30);
/// The time in which a connection that comes back has to answer.
const PING_MAX: Duration = Duration::from_secs(1);
/// A connection that was used this recently is taken without a question, except for this long in
/// every [`JUDGED_EVERY_MS`].
const FRESH: Duration = Duration::from_millis(100);
const JUDGED_EVERY_MS: u128 = 2_000;
/// A statement that takes longer is logged, where `RUST_LOG` has `sqlx::query=debug`.
const SLOW_STATEMENT: Duration = Duration::from_secs(1);

/// Opens a pool of at most `connections_max` connections, and proves that two of them are sessions
/// of their own.
///
/// # Errors
/// The URL does not parse, the server cannot be reached, or it refuses the login;
/// [`StoreError::Parameter`] and [`StoreError::Pooled`] where a pooler is in the way.
pub async fn connect(url: &str, application: &str, connections_max: u32) -> Result<PgPool> {
    let options = options(url)?
        .application_name(application)
        // Statements are logged with their text: below the levels that are on by default.
        .log_statements(LevelFilter::Trace)
        .log_slow_statements(LevelFilter::Debug, SLOW_STATEMENT);
    let opened = Instant::now();
    // The pool would only say that it timed out.
    let proof = within(ANSWER_MAX, settings::open(&options)).await?;
    let pool = PgPoolOptions::new()
        .max_connections(connections_max)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .test_before_acquire(false)
        .after_connect(|connection, _| Box::pin(settings::apply(connection)))
        // A connection in constant use is taken within the time in which all are judged, too.
        .before_acquire(move |connection, used| {
            let is_judged_now = opened.elapsed().as_millis() % JUDGED_EVERY_MS < FRESH.as_millis();
            let is_believed = used.idle_for < FRESH && !is_judged_now;
            Box::pin(async move { Ok(is_believed || works(connection).await) })
        })
        // The pool's own question has no limit: a connection that does not answer would never
        // come back, nor leave its place to another.
        .after_release(|connection, _| Box::pin(async { Ok(answers(connection).await) }))
        .connect_with(options)
        .await?;
    within(ANSWER_MAX, refuse_shared(proof, &pool)).await?;
    Ok(pool)
}

fn options(url: &str) -> Result<PgConnectOptions> {
    let options = PgConnectOptions::from_str(url)?
        // A pooler may refuse it, and no float of ours is cut by its default.
        .extra_float_digits(None::<i8>);
    // An address of IPv6 stands in brackets in a URL, and without them everywhere else.
    let host = options.get_host();
    let host = host.strip_prefix('[').and_then(|it| it.strip_suffix(']')).map(str::to_owned);
    Ok(match host {
        Some(host) => options.host(&host),
        None => options,
    })
}

/// Two open connections are two sessions, unless a pooler lends one session to both, transaction by
/// transaction: it would take our locks and settings, and the channels that we listen to.
async fn refuse_shared(mut proof: PgConnection, pool: &PgPool) -> Result<()> {
    let mut other = pool.acquire().await?;
    if session_id(&mut proof).await? == session_id(&mut other).await? {
        return Err(StoreError::Pooled);
    }
    proof.close().await?;
    Ok(())
}

async fn session_id(connection: &mut PgConnection) -> Result<i32> {
    Ok(sqlx::raw_sql("SELECT pg_backend_pid()").fetch_one(connection).await?.try_get(0)?)
}

async fn answers(connection: &mut PgConnection) -> bool {
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
