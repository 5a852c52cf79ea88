//! Connections that a loop keeps for itself.
//!
//! A pool asks a connection that comes back whether it still works: two round trips for each of our
//! transactions. A loop that takes and gives some hundred times a second has connections beside the
//! pool, which it keeps as long as nothing goes wrong on them.

use std::ops::{Deref, DerefMut};
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use sqlx::{AssertSqlSafe, PgConnection, PgPool, SqlSafeStr as _, SqlStr};

use crate::Result;
use crate::connection::settings;
use crate::connection::usable::{refuse_read_only, works};

/// Our statements look up by key, so each has one plan; to make it anew each time costs as much as
/// to run it.
const GENERIC_PLANS: &str = "SET plan_cache_mode = force_generic_plan; ";
/// A connection that was used and judged lately is taken without a question, which would cost each
/// bell a round trip: a look every half second keeps one fresh.
const FRESH: Duration = Duration::from_millis(750);
/// A connection is asked this often if it still takes writes, however much it is used: a survey
/// only reads, and would go on for ever on a standby.
const JUDGED_FOR: Duration = Duration::from_secs(1);
/// After this time a connection is closed: PostgreSQL caches tables and plans as long as it lives.
const KEPT_FOR: Duration = Duration::from_mins(10);

/// The connections of one loop.
#[derive(Clone, Debug)]
pub(crate) struct Sessions {
    /// Knows where to.
    pool: PgPool,
    /// The first statements of each connection.
    preamble: SqlStr,
    free: Arc<Mutex<Vec<Session>>>,
}

/// A connection without an open transaction, or with its taker's. Dropped, its socket is closed,
/// and PostgreSQL rolls back.
#[derive(Debug)]
pub(crate) struct Session {
    connection: PgConnection,
    made_at: Instant,
    used_at: Instant,
    judged_at: Instant,
}

impl Session {
    /// Tells this connection from those before it.
    pub(crate) fn made_at(&self) -> Instant {
        self.made_at
    }
}

impl Sessions {
    /// Connections where `pool` leads to, on each of which `prepared` is run once.
    pub(crate) fn of(pool: PgPool, prepared: &'static str) -> Self {
        let preamble = AssertSqlSafe(format!("{GENERIC_PLANS}{prepared}")).into_sql_str();
        Self { pool, preamble, free: Arc::default() }
    }

    /// A connection that works.
    ///
    /// # Errors
    /// [`StoreError::ReadOnly`](crate::StoreError::ReadOnly), or no connection is to be had.
    pub(crate) async fn take(&self) -> Result<Session> {
        while let Some(mut session) = self.pop() {
            if session.used_at.elapsed() < FRESH && session.judged_at.elapsed() < JUDGED_FOR {
                return Ok(session);
            }
            if works(&mut session).await {
                session.judged_at = Instant::now();
                return Ok(session);
            }
        }
        let mut connection = settings::open(&self.pool.connect_options()).await?;
        refuse_read_only(&mut connection).await?;
        sqlx::raw_sql(self.preamble.clone()).execute(&mut connection).await?;
        let now = Instant::now();
        Ok(Session { connection, made_at: now, used_at: now, judged_at: now })
    }

    /// Takes one back on which nothing went wrong and no transaction is open.
    pub(crate) fn keep(&self, mut session: Session) {
        if session.made_at.elapsed() < KEPT_FOR {
            session.used_at = Instant::now();
            self.free.lock().push(session);
        }
    }

    /// The connection that was used last, which most probably needs no check.
    fn pop(&self) -> Option<Session> {
        self.free.lock().pop()
    }
}

impl Deref for Session {
    type Target = PgConnection;

    fn deref(&self) -> &PgConnection {
        &self.connection
    }
}

impl DerefMut for Session {
    fn deref_mut(&mut self) -> &mut PgConnection {
        &mut self.connection
    }
}
