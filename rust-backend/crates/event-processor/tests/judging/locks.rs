//! Strangers that hold the locks that judging goes by.

use event_engine::event::ChainId;
use event_store::judging::notification_settings::{self, Mode, NotificationChange};
use event_store::views::lock_holders::{LockHolder, lock_holders};
use sqlx::postgres::{PgConnectOptions, PgConnection, PgPoolOptions};
use sqlx::{AssertSqlSafe, Connection as _};
use testbed::{Bed, Row, eventually, trigger_file};

use crate::{ALL, NOWHERE, judged, start};

/// Ways to take a lock for longer than a statement.
const WAYS: [&str; 4] = [
    "SELECT pg_advisory_lock(KEY)",
    "SELECT pg_advisory_lock_shared(KEY)",
    "BEGIN; SELECT pg_advisory_xact_lock(KEY)",
    "BEGIN; SELECT pg_advisory_xact_lock_shared(KEY)",
];

#[tokio::test]
async fn a_stranger_with_a_shards_lock_is_named_and_delays_no_other() {
    let bed = Bed::start().await;
    bed.apply(&trigger_file(NOWHERE, &[ALL])).await;
    let _processor = start(&bed).await;
    for (number, way) in (0_i64..).zip(WAYS) {
        let mut stranger = stranger(&bed).await;
        hold(&mut stranger, way, "'agentauri shard 5'").await;
        let row = |chain_id, id: &str| Row { chain_id, ..Row::new(&format!("{id}{number}")) };
        row(5, "held").insert(&bed.pool).await.expect("inserted");
        row(6, "free").insert(&bed.pool).await.expect("inserted");
        let free = async || judged(&bed).await == 2 * number + 1;
        eventually("the other is judged", free).await;
        let [holder] = &holders(&bed).await[..] else { panic!("one holder") };
        let pid: i32 = sqlx::query_scalar("SELECT pg_backend_pid()")
            .fetch_one(&mut stranger)
            .await
            .expect("a number");
        assert_eq!((holder.pid, holder.role.as_str()), (Some(pid), "stranger"), "{way}");
        assert_eq!(holder.application, "psql of a stranger");
        assert!(holder.stops_judging && holder.lock.contains("chain 5"), "{holder:?}");
        assert!(holder.address.is_some(), "{holder:?}");
        stranger.close().await.expect("gone");
        eventually("both are judged", async || judged(&bed).await == 2 * number + 2).await;
        assert_eq!(holders(&bed).await, []);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stranger_with_the_gates_locks_is_named_and_delays_nothing() {
    let bed = Bed::start().await;
    bed.apply(&trigger_file(NOWHERE, &[ALL])).await;
    let gated = NotificationChange { mode: Some(Mode::Gated), ..NotificationChange::default() };
    notification_settings::change(&bed.pool, &gated).await.expect("set");
    let _processor = crate::start_with_tick(&bed, std::time::Duration::from_mins(1)).await;
    let mut events = 0;
    for key in ["'agentauri writers'", "'agentauri sleepers'"] {
        for way in WAYS {
            let mut stranger = stranger(&bed).await;
            // It waits itself for whoever sleeps behind the gate: each event wakes them.
            let mut held = Box::pin(hold(&mut stranger, way, key));
            let patience = std::time::Duration::from_millis(50);
            while tokio::time::timeout(patience, &mut held).await.is_err() {
                events += 1;
                Row::new(&format!("e{events}")).insert(&bed.pool).await.expect("inserted");
            }
            drop(held);
            for _ in 0..5 {
                events += 1;
                Row::new(&format!("e{events}")).insert(&bed.pool).await.expect("inserted");
                let all = async || judged(&bed).await == events;
                let took = eventually("it is judged", all).await;
                assert!(took.as_secs() < 30, "not by the tick of a minute: {took:?}");
            }
            let [holder] = &holders(&bed).await[..] else { panic!("one holder") };
            assert!(!holder.stops_judging && holder.lock.contains("gate"), "{holder:?}");
            stranger.close().await.expect("gone");
            eventually("nobody holds it", async || holders(&bed).await.is_empty()).await;
        }
    }
}

#[tokio::test]
async fn locks_of_our_own_and_of_other_programs_are_nobodys_problem() {
    let bed = Bed::start().await;
    bed.apply(&trigger_file(NOWHERE, &[ALL])).await;
    let _processors = [start(&bed).await, start(&bed).await];
    let mut stranger = stranger(&bed).await;
    hold(&mut stranger, WAYS[0], "'of another program'").await;
    // The same number as two halves is another lock.
    let halves = "SELECT pg_advisory_lock((k >> 32)::integer, ((k << 32) >> 32)::integer)
                  FROM hashtextextended('agentauri shard 1', 0) AS k";
    sqlx::raw_sql(halves).execute(&mut stranger).await.expect("held");
    for number in 0..200_i64 {
        Row::new(&format!("e{number}")).insert(&bed.pool).await.expect("inserted");
        assert_eq!(holders(&bed).await, []);
    }
    eventually("all are judged", async || judged(&bed).await == 200).await;
}

#[tokio::test]
async fn no_stranger_can_hold_the_set_of_triggers_or_the_migrations() {
    let bed = Bed::start().await;
    let mut stranger = stranger(&bed).await;
    // What it was once held by.
    for key in ["'agentauri trigger set'", "'agentauri trigger changes'"] {
        hold(&mut stranger, WAYS[0], key).await;
    }
    let crc_of_sqlx = "SELECT pg_advisory_lock(n) FROM generate_series(1, 3) AS n";
    sqlx::raw_sql(crc_of_sqlx).execute(&mut stranger).await.expect("held");
    for table in ["trigger_set", "triggers", "chain_locks", "_sqlx_migrations"] {
        for mode in ["SHARE UPDATE EXCLUSIVE", "SHARE", "ROW EXCLUSIVE", "EXCLUSIVE"] {
            let statement = AssertSqlSafe(format!("BEGIN; LOCK TABLE {table} IN {mode} MODE"));
            let refused = sqlx::raw_sql(statement).execute(&mut stranger).await;
            let error = refused.expect_err("no right to it");
            let code = error
                .as_database_error()
                .and_then(sqlx::error::DatabaseError::code)
                .map(String::from);
            assert_eq!(code.as_deref(), Some("42501"), "{table} {mode}");
            sqlx::raw_sql("ROLLBACK").execute(&mut stranger).await.expect("back");
        }
    }
    let _processor = start(&bed).await;
    bed.apply(&trigger_file(NOWHERE, &[ALL])).await;
    Row::new("e").insert(&bed.pool).await.expect("inserted");
    eventually("it is judged", async || judged(&bed).await == 1).await;
    let xid = "SELECT count(pg_current_xact_id_if_assigned()) FROM claim_shards('{1}', 1, 1)";
    assert_eq!(bed.count(xid).await, 0, "a claim takes no transaction id");
}

#[tokio::test]
async fn a_prepared_transaction_that_holds_a_shard_is_named() {
    let bed = Bed::start().await;
    let mut stranger = stranger(&bed).await;
    hold(&mut stranger, WAYS[2], "'agentauri shard 1'").await;
    let prepared = sqlx::raw_sql("PREPARE TRANSACTION 'left behind'");
    prepared.execute(&mut stranger).await.expect("prepared");
    let [holder] = &holders(&bed).await[..] else { panic!("one holder") };
    assert_eq!((holder.pid, holder.application.as_str()), (None, "left behind"));
}

/// Draws who holds which lock, and how.
#[tokio::test]
async fn whoever_holds_a_lock_is_named_by_its_rights_alone() {
    let bed = Bed::start().await;
    let judged = "INSERT INTO shard_cursors (chain_id) VALUES (7)";
    sqlx::raw_sql(judged).execute(&bed.strangers).await.expect("a cursor");
    for (role, rights) in ROLES {
        bed.make_role(role).await;
        sqlx::raw_sql(AssertSqlSafe(rights)).execute(&bed.strangers).await.expect("granted");
    }
    let mut drawn = Vec::new();
    for (number, (key, lock)) in KEYS.iter().enumerate() {
        for (place, (role, _)) in ROLES.iter().enumerate() {
            let way = WAYS[(number * 3 + place * 5 + number / 3) % WAYS.len()];
            let mut holder = connect(&bed, role).await;
            hold(&mut holder, way, key).await;
            let found = holders(&bed).await;
            let named: Vec<_> =
                found.iter().map(|it| (it.lock.as_str(), it.role.as_str())).collect();
            let expected = is_named(lock, role).then_some((*lock, *role));
            assert_eq!(named, Vec::from_iter(expected), "{way} {key}");
            holder.close().await.expect("gone");
            eventually("it is free", async || holders(&bed).await.is_empty()).await;
            drawn.push((*lock, *role));
        }
    }
    // One that asks for less, or for more, would be found.
    let planted: [fn(&str, &str) -> bool; 4] = [
        |lock, _| !lock.is_empty(),
        |lock, role| !lock.is_empty() && role == "nothing",
        |lock, role| lock.contains("chain") && is_named(lock, role),
        |lock, role| is_named(lock, role) && !lock.contains("chain 7"),
    ];
    for fault in planted {
        assert!(drawn.iter().any(|(lock, role)| fault(lock, role) != is_named(lock, role)));
    }
}

/// Who may do what. The last is one of ours by its rights.
const ROLES: [(&str, &str); 4] = [
    ("nothing", ""),
    ("reader", "GRANT SELECT ON events, shard_cursors, trigger_set TO reader"),
    ("writer", "GRANT INSERT ON events TO writer"),
    ("judge", "GRANT UPDATE ON shard_cursors TO judge"),
];

/// Keys by their name, and what the lock is called; nothing where it is none of ours.
const KEYS: [(&str, &str); 8] = [
    ("'agentauri shard 1'", "the lock of chain 1"),
    ("'agentauri shard 5'", "the lock of chain 5"),
    ("'agentauri shard 7'", "the lock of chain 7"),
    ("'agentauri shard 8'", ""),
    ("'agentauri shard 1 '", ""),
    ("'agentauri writers'", "the gate's lock of writers"),
    ("'agentauri sleepers'", "the gate's lock of sleepers"),
    ("'agentauri'", ""),
];

/// A writer probes the gate, and who judges takes all of them.
fn is_named(lock: &str, role: &str) -> bool {
    match lock {
        "" => false,
        _ if lock.contains("gate") => role == "nothing" || role == "reader",
        _ => role != "judge",
    }
}

#[tokio::test]
async fn five_thousand_locks_of_a_strangers_own_hide_no_lock_of_ours() {
    let bed = Bed::start().await;
    let cursors = "INSERT INTO shard_cursors (chain_id) SELECT generate_series(2001, 4000)";
    sqlx::raw_sql(cursors).execute(&bed.strangers).await.expect("cursors");
    let mut stranger = stranger(&bed).await;
    // The same shard twice over: a lock is one holder, however often it is taken.
    for chain in [1, 1, 4000] {
        hold(&mut stranger, WAYS[0], &format!("'agentauri shard {chain}'")).await;
    }
    let decoys = "SELECT count(pg_advisory_lock(n)) FROM generate_series(1, 5000) AS n";
    sqlx::raw_sql(decoys).execute(&mut stranger).await.expect("held");
    let hurried: PgConnectOptions = bed.postgres.url().parse().expect("a URL");
    let hurried = hurried.options([("statement_timeout", "2s")]);
    let pool = PgPoolOptions::new().max_connections(1).connect_with(hurried).await;
    let known: Vec<ChainId> = (1..=1_000).map(ChainId).collect();
    let found = lock_holders(&pool.expect("a connection"), &known).await.expect("in time");
    let locks: Vec<&str> = found.iter().map(|holder| holder.lock.as_str()).collect();
    assert_eq!(locks, ["the lock of chain 1", "the lock of chain 4000"]);
}

/// A role that may connect, and nothing else.
async fn stranger(bed: &Bed) -> PgConnection {
    if bed.count("SELECT count(*) FROM pg_roles WHERE rolname = 'stranger'").await == 0 {
        bed.make_role("stranger").await;
    }
    connect(bed, "stranger").await
}

async fn connect(bed: &Bed, role: &str) -> PgConnection {
    let options: PgConnectOptions = bed.postgres.url().parse().expect("a URL");
    let options = options.username(role).password(role);
    let options = options.application_name("psql of a stranger");
    PgConnection::connect_with(&options).await.expect("a connection")
}

async fn hold(stranger: &mut PgConnection, way: &str, name: &str) {
    let key = format!("hashtextextended({name}, 0)");
    let statement = AssertSqlSafe(way.replace("KEY", &key));
    sqlx::raw_sql(statement).execute(stranger).await.expect("held");
}

async fn holders(bed: &Bed) -> Vec<LockHolder> {
    lock_holders(&bed.pool, &[ChainId(1), ChainId(5)]).await.expect("an answer")
}
