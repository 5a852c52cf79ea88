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
