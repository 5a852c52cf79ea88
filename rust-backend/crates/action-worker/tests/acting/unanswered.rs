//! Leases whose commit is not answered in time.

use sqlx::PgPool;

use super::*;

/// As a synchronous standby that is missing does it: what is committed is not answered.
async fn want_standby(superuser: &PgPool, name: &str) {
    for statement in [
        &format!("ALTER SYSTEM SET synchronous_standby_names = '{name}'"),
        "SELECT pg_reload_conf()",
    ] {
        let statement = sqlx::AssertSqlSafe(statement.to_owned());
        sqlx::raw_sql(statement).execute(superuser).await.expect("set");
    }
}

#[tokio::test]
async fn a_lease_that_was_not_answered_burns_no_attempt() {
    let (bed, receiver) = (Bed::start().await, Receiver::start().await);
    bed.apply(&trigger_file(&receiver.url(), &[("all", ALL)])).await;
    let superuser = bed.superuser().await;
    decide(&bed, &["a", "b", "c"].map(Row::new)).await;
    want_standby(&superuser, "nobody").await;
    let strangers = bed.strangers.clone();
    let write = "INSERT INTO named_chains (chain_id, named_by) VALUES (9, 'file')
                 ON CONFLICT (chain_id) DO UPDATE SET named_at = now()";
    let writing =
        tokio::spawn(async move { while sqlx::query(write).execute(&strangers).await.is_ok() {} });
    let waits = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep'";
    eventually("commits wait", async || bed.count(waits).await > 0).await;
    writing.abort();
    // A single attempt that counts would be the last.
    let _worker = start(&bed, LOOPBACK, "0s").await;
    let disowns = "SELECT count(*) FROM pg_stat_activity
                   WHERE wait_event_type = 'Lock' AND query LIKE 'SELECT job.id%FOR UPDATE%'";
    eventually("the leases are given up", async || bed.count(disowns).await > 0).await;
    assert!(receiver.messages().is_empty(), "nothing is sent under a lease that may not last");
    want_standby(&superuser, "").await;
    eventually("all are delivered", async || state(&bed, JobState::Delivered).await == 3).await;
    assert_eq!(bed.count("SELECT count(*) FROM action_results").await, 3, "one attempt each");
    assert_eq!(bed.count("SELECT count(*) FROM jobs WHERE attempts <> 1").await, 0);
    assert!(receiver.messages().values().all(|bodies| bodies.len() == 1));
}

#[tokio::test]
async fn a_row_that_somebody_holds_stops_no_other_job() {
    let (bed, receiver) = (Bed::start().await, Receiver::start().await);
    bed.apply(&trigger_file(&receiver.url(), &[("all", ALL)])).await;
    decide(&bed, &["held", "a", "b", "later", "latest"].map(Row::new)).await;
    let not_yet = "UPDATE jobs SET due_at = now() + interval '1 hour' WHERE event_id LIKE 'late%'";
    sqlx::query(not_yet).execute(&bed.pool).await.expect("set");
    let mut other = bed.strangers.begin().await.expect("a transaction");
    for statement in [
        "SELECT id FROM jobs WHERE event_id = 'held' FOR UPDATE",
        "SAVEPOINT before",
        "LOCK TABLE jobs IN EXCLUSIVE MODE",
    ] {
        sqlx::query(statement).execute(&mut *other).await.expect("locked");
    }
    let _worker = start(&bed, LOOPBACK, "0s").await;
    let waits = "SELECT count(*) FROM pg_stat_activity
                 WHERE wait_event_type = 'Lock' AND query LIKE 'SELECT job.id%FOR UPDATE%'";
    eventually("the leases are given up", async || bed.count(waits).await > 0).await;
    sqlx::query("ROLLBACK TO before").execute(&mut *other).await.expect("the table is free");
    // The row is still held.
    let due = "UPDATE jobs SET due_at = now() WHERE event_id LIKE 'late%'";
    sqlx::query(due).execute(&bed.pool).await.expect("set");
    eventually("later ones are delivered", async || {
        let later = "SELECT count(*) FROM jobs WHERE event_id LIKE 'late%' AND state = 'delivered'";
        bed.count(later).await == 2
    })
    .await;
    eventually("so are those beside it", async || state(&bed, JobState::Delivered).await == 4)
        .await;
    other.rollback().await.expect("ended");
    eventually("so is it", async || state(&bed, JobState::Delivered).await == 5).await;
    assert_eq!(bed.count("SELECT count(*) FROM jobs WHERE attempts <> 1").await, 0);
    assert!(receiver.messages().values().all(|bodies| bodies.len() == 1));
}
