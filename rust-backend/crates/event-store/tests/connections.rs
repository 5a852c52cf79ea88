//! How our connections treat a real PostgreSQL.

use std::time::Duration;

use private_servers::Postgres;
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

async fn until(count: impl AsyncFn() -> i64, wanted: i64) {
    while count().await != wanted {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
