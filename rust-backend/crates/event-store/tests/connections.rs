//! How our connections treat a real PostgreSQL.

use std::time::Duration;

use event_engine::port::Shards as _;
use event_store::{PgPool, PgShards, StoreError};
use private_servers::Postgres;
use sqlx::AssertSqlSafe;
use tokio::time::timeout;

const PATIENCE: Duration = Duration::from_mins(2);

/// Whoever gives up on a call would otherwise wait behind it: it goes on holding its locks, and
/// everybody's horizon.
#[tokio::test]
async fn a_call_that_was_given_up_on_ends_in_the_server_too() {
    let postgres = Postgres::for_test().expect("a private PostgreSQL");
    let pool = event_store::connect(&postgres.url(), "test", 2).await.expect("a connection");
    let asleep = "SELECT count(*) FROM pg_stat_activity
                  WHERE state = 'active' AND query LIKE 'SELECT pg_sleep%'";
    let count =
        async || -> i64 { sqlx::query_scalar(asleep).fetch_one(&pool).await.expect("a count") };
    let call = sqlx::query("SELECT pg_sleep(600)").execute(&pool);
    tokio::select! {
        _ = call => panic!("it sleeps for longer"),
        under_way = timeout(PATIENCE, until(&count, 1)) => under_way.expect("it is under way"),
    }
    timeout(PATIENCE, until(&count, 0)).await.expect("it has ended");
}

/// They were read-only for as long as they lived: half an hour.
#[tokio::test]
async fn sessions_that_take_no_writes_are_replaced() {
    let postgres = Postgres::for_test().expect("a private PostgreSQL");
    event_store::open(&postgres.url(), "test", 1).await.expect("the schema");
    let superuser = event_store::connect(&postgres.superuser_url(), "test", 1).await;
    let superuser = superuser.expect("a connection");
    let set = async |value: &str| {
        let set = format!("ALTER ROLE agentauri_owner SET default_transaction_read_only = {value}");
        sqlx::raw_sql(AssertSqlSafe(set)).execute(&superuser).await.expect("set");
    };
    set("on").await;
    let pool = event_store::connect(&postgres.url(), "test", 4).await.expect("connections");
    let shards = PgShards::new(pool.clone(), "test");
    let surveyed = shards.survey(&[], 1).await.expect_err("nothing could be judged");
    assert!(matches!(surveyed, StoreError::ReadOnly { .. }), "{surveyed}");
    let said = "PostgreSQL takes no writes: default_transaction_read_only is on; DATABASE_URL has";
    assert!(surveyed.to_string().starts_with(said), "{surveyed}");
    for _ in 0..4 {
        let written = StoreError::from(write(&pool).await.expect_err("it is read-only"));
        assert!(matches!(written, StoreError::ReadOnly { .. }), "{written}");
    }
    set("off").await;
    timeout(PATIENCE, replaced(&pool, &shards)).await.expect("all sessions are fresh ones");
}

async fn write(pool: &PgPool) -> sqlx::Result<()> {
    sqlx::query("UPDATE jobs SET pushed_at = pushed_at").execute(pool).await.map(drop)
}

/// Waits until as many writes and surveys in a row succeed as there are sessions.
async fn replaced(pool: &PgPool, shards: &PgShards) {
    let all = async || {
        for _ in 0..4 {
            if write(pool).await.is_err() || shards.survey(&[], 1).await.is_err() {
                return false;
            }
        }
        true
    };
    until(async || i64::from(all().await), 1).await;
}

async fn until(count: impl AsyncFn() -> i64, wanted: i64) {
    while count().await != wanted {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
