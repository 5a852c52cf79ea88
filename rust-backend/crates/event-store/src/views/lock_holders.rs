//! Holders of the locks that judging goes by that should not hold them.
//!
//! Any role may take an advisory lock of any number, and those of shards and gate are known. The
//! set of triggers and the schema's migrations are guarded by locks on tables instead, which ask
//! for a right.

use event_engine::event::ChainId;
use serde::Serialize;
use sqlx::PgPool;

use crate::Result;

/// Holders that are named; more are not counted.
const NAMED_MAX: i64 = 20;
/// A batch of ours holds its shards for less than this, triggers being loaded included.
const OURS_HELD_S_MAX: f64 = 40.0;

/// A session, or a prepared transaction, that holds one of our locks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LockHolder {
    /// The lock, in words.
    pub lock: String,
    /// True if judging stops while it is held. Otherwise writers notify in vain.
    pub stops_judging: bool,
    /// The role.
    pub role: String,
    /// The server process; `None` for a prepared transaction.
    pub pid: Option<i32>,
    /// The application name of the session, or the name of the prepared transaction.
    pub application: String,
    /// Its address. `None` where this role may not see that (`pg_read_all_stats`).
    pub address: Option<String>,
}

impl LockHolder {
    /// The holder in words.
    pub fn who(&self) -> String {
        let Self { role, application, .. } = self;
        let address = match &self.address {
            Some(address) => format!("from {address}"),
            None => "from an address that pg_read_all_stats would show".to_owned(),
        };
        match self.pid {
            Some(pid) => format!("session {pid} of role {role} ({application}) {address}"),
            None => format!("prepared transaction {application} of role {role}"),
        }
    }
}

/// Holders of the lock of a shard, of the gate or of the set of triggers that cannot be ours by
/// their rights, or have held it for longer than a batch takes. The shards are `chains` and all
/// that have been judged.
///
/// The gate's locks are also the writers', who probe them for an instant: a role that may write
/// events or move a cursor is not returned for them.
///
/// A stranger may hold thousands of other locks: each chain's key is made once, and locks of other
/// keys are left out before their holders are looked up.
pub async fn lock_holders(pool: &PgPool, chains: &[ChainId]) -> Result<Vec<LockHolder>> {
    let chains: Vec<i64> = chains.iter().map(|chain| chain.0).collect();
    let mut holders = sqlx::query_as!(
        LockHolder,
        r#"
        WITH named AS MATERIALIZED (
            SELECT hashtextextended('agentauri shard ' || chain_id::text, 0) AS key,
                   'the lock of chain ' || chain_id::text AS lock, false AS is_gate
            FROM (SELECT chain_id FROM shard_cursors
                  UNION SELECT unnest($1::bigint[])) AS c (chain_id)
            UNION ALL
            SELECT hashtextextended('agentauri ' || who, 0), 'the gate''s lock of ' || who, true
            FROM (VALUES ('writers'), ('sleepers')) AS gate (who)
        ), advisory AS MATERIALIZED (
            SELECT l.pid, l.virtualtransaction,
                   (l.classid::bigint << 32) | l.objid::bigint AS key
            FROM pg_locks l
            WHERE l.locktype = 'advisory' AND l.objsubid = 1 AND l.granted
              AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
        ), joined AS MATERIALIZED (
            -- Few locks are expected, and all the chains would be gone through for each. A full
            -- join can only be hashed or merged.
            SELECT n.lock, n.is_gate, l.pid, l.virtualtransaction
            FROM advisory l FULL JOIN named n USING (key)
        ), held AS MATERIALIZED (
            SELECT * FROM joined WHERE lock IS NOT NULL AND virtualtransaction IS NOT NULL
        ), seen AS MATERIALIZED (
            SELECT DISTINCT h.lock, h.is_gate, a.pid, coalesce(r.rolname, 'unknown') AS role,
                   coalesce(p.gid, a.application_name, '') AS application,
                   CASE WHEN a.pid IS NULL OR a.backend_start IS NULL THEN NULL
                        WHEN a.client_addr IS NULL THEN 'a local socket'
                        ELSE format('%s port %s', host(a.client_addr), a.client_port)
                   END AS address,
                   coalesce(has_table_privilege(r.oid, 'shard_cursors', 'UPDATE'), false) AS judges,
                   coalesce(has_any_column_privilege(r.oid, 'events', 'INSERT'), false) AS writes,
                   -- Ours hold a shard in a transaction, and for no longer than a batch takes. The
                   -- second: what was held a moment ago may have been given back since.
                   CASE WHEN a.pid IS NULL THEN true
                        WHEN a.backend_start IS NULL
                        THEN a.application_name !~ '^(event-processor|agentauri)'
                        WHEN a.xact_start IS NULL
                        THEN a.state_change < now() - interval '1 second'
                        ELSE extract(epoch FROM now() - a.xact_start) > $2::double precision
                   END AS lingers
            FROM held h
            LEFT JOIN pg_stat_activity a ON a.pid = h.pid
            -- A prepared transaction has its id locked, too.
            LEFT JOIN pg_locks t
                   ON h.pid IS NULL AND t.pid IS NULL AND t.locktype = 'transactionid'
                  AND t.virtualtransaction = h.virtualtransaction
            LEFT JOIN pg_prepared_xacts p ON p.transaction = t.transactionid
            LEFT JOIN pg_roles r ON r.oid = a.usesysid OR r.rolname = p.owner
            WHERE h.pid IS NULL OR a.pid IS NOT NULL
        )
        SELECT lock AS "lock!", NOT is_gate AS "stops_judging!", role AS "role!", pid,
               application AS "application!", address
        FROM seen
        WHERE CASE WHEN is_gate THEN NOT judges AND NOT writes ELSE NOT judges OR lingers END
        ORDER BY lock, pid LIMIT $3"#,
        &chains,
        OURS_HELD_S_MAX,
        NAMED_MAX,
    )
    .fetch_all(pool)
    .await?;
    holders.extend(of_the_set(pool).await?);
    Ok(holders)
}

/// Sessions of roles with rights on the table that keep the set of triggers from being read.
async fn of_the_set(pool: &PgPool) -> Result<Vec<LockHolder>> {
    let holders = sqlx::query_as!(
        LockHolder,
        r#"SELECT 'the lock of the set of triggers' AS "lock!", true AS "stops_judging!",
                  coalesce(a.usename, 'unknown') AS "role!", a.pid,
                  coalesce(a.application_name, '') AS "application!",
                  CASE WHEN a.backend_start IS NULL THEN NULL
                       WHEN a.client_addr IS NULL THEN 'a local socket'
                       ELSE format('%s port %s', host(a.client_addr), a.client_port) END AS address
           FROM pg_locks l JOIN pg_stat_activity a USING (pid)
           WHERE l.locktype = 'relation' AND l.relation = 'trigger_set'::regclass AND l.granted
             AND l.mode IN ('RowExclusiveLock', 'ShareUpdateExclusiveLock',
                            'ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock')
             AND coalesce(extract(epoch FROM now() - a.xact_start) > 5, true)
           ORDER BY a.pid LIMIT $1"#,
        NAMED_MAX,
    )
    .fetch_all(pool)
    .await?;
    Ok(holders)
}
