//! Bad conditions are never silent: each is provoked, and named by `status` and by `doctor`.

use serde_json::Value;
use testbed::{Bed, Process, Row, eventually, trigger_file};

const PAGE: &str =
    include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../docs/operations/conditions.md"));

#[tokio::test(flavor = "multi_thread")]
async fn where_all_is_well_nothing_warns_and_each_condition_has_its_section() {
    let bed = Bed::start().await;
    let (said, is_well) = agentauri(&bed, &["status"]).await;
    assert!(is_well && !said.contains("Warning"), "{said}");
    let (said, is_well) = agentauri(&bed, &["doctor"]).await;
    assert!(is_well && !said.contains("FAILED"), "{said}");
    let (conditions, _doors) = PAGE.split_once("\n# Open doors").expect("two parts");
    let sections: Vec<String> = conditions
        .lines()
        .filter_map(|line| line.strip_prefix("## "))
        .map(|heading| heading.to_lowercase().replace(' ', "-"))
        .collect();
    let status = json(&bed, "status").await;
    let conditions = status["conditions"].as_array().expect("a list");
    assert_eq!(conditions.len(), sections.len());
    for condition in conditions {
        let (name, see) = (&condition["name"], condition["see"].as_str().expect("text"));
        let section = see.strip_prefix("docs/operations/conditions.md#").expect(see);
        assert!(sections.iter().any(|known| known == section), "{see}");
        assert!(PAGE.contains(&format!("`{}`", name.as_str().expect("text"))), "{name}");
        assert_eq!(condition["ok"], true, "{condition}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_nobody_judges_is_named() {
    let bed = Bed::start().await;
    Row::new("waits").insert(&bed.pool).await.expect("inserted");
    run(&bed, "UPDATE event_log SET logged_at = now() - interval '1 minute'").await;
    let says = "an event of chain 1 has waited to be judged for 6";
    assert_named(&bed, "events_unjudged", says, "start an event-processor").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_open_writing_transaction_is_named_with_its_session() {
    let bed = Bed::start().await;
    let mut open = bed.strangers.begin().await.expect("a transaction");
    Row::new("patient").insert(&mut *open).await.expect("inserted");
    let pid: i32 = sqlx::query_scalar("SELECT pg_backend_pid()")
        .fetch_one(&mut *open)
        .await
        .expect("a number");
    let is_old = "SELECT count(*) FROM pg_stat_activity
                  WHERE backend_xid IS NOT NULL AND xact_start < now() - interval '5 seconds'";
    eventually("it is five seconds old", async || bed.count(is_old).await > 0).await;
    let says = "a writing transaction has been open for ";
    assert_named(&bed, "writing_transaction_open", says, "idle_in_transaction_session_timeout")
        .await;
    let status = json(&bed, "status").await;
    let writer = status["oldest_writer"].as_str().expect("a session");
    assert!(writer.starts_with(&format!("session {pid} of ")), "{writer}");
    open.rollback().await.expect("ended");
    let (said, is_well) = agentauri(&bed, &["doctor"]).await;
    assert!(is_well, "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cursor_from_before_a_dump_and_restore_is_named() {
    let bed = Bed::start().await;
    Row::new("unreachable").insert(&bed.pool).await.expect("inserted");
    run(&bed, "UPDATE log_origin SET xid = '999999999'").await;
    let says = "are from before a dump and restore";
    assert_named(&bed, "cursor_restored", says, "renumber_restored_log()").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_notification_queue_that_fills_up_is_named() {
    let bed = Bed::start().await;
    let mut stuck = bed.strangers.acquire().await.expect("a session");
    for statement in ["LISTEN flood", "BEGIN", "SELECT 1"] {
        sqlx::query(statement).execute(&mut *stuck).await.expect("done");
    }
    // A page of the queue each, of which a hundredth is 10,486.
    let flood = "SELECT pg_notify('flood', repeat('x', 7900) || n)
                 FROM generate_series(1, 12000) AS n";
    run(&bed, flood).await;
    let says = "full: some session listens and does not read";
    assert_named(&bed, "notification_queue_filling", says, "no bell rings").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn jobs_that_no_worker_takes_are_named() {
    let bed = Bed::start().await;
    let all = trigger_file("https://example.org/hook", &[("all", "match_all: true")]);
    bed.apply(&all).await;
    let _processor = Process::start("event-processor", &bed, &[]);
    Row::new("matches").insert(&bed.pool).await.expect("inserted");
    let jobs = "SELECT count(*) FROM jobs";
    eventually("its job is there", async || bed.count(jobs).await == 1).await;
    run(&bed, "UPDATE jobs SET due_at = now() - interval '1 minute'").await;
    let says = "1 overdue, the oldest by 6";
    assert_named(&bed, "jobs_overdue", says, "start an action-worker").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_jumped_is_named() {
    let bed = Bed::start().await;
    // No path leads ours to another: only a superuser can put one in its place.
    run(&bed, "ALTER FUNCTION pg_catalog.clock_timestamp() RENAME TO clock_of_the_machine").await;
    let an_hour_ahead = "CREATE FUNCTION pg_catalog.clock_timestamp() RETURNS timestamptz
                         LANGUAGE sql AS 'SELECT clock_of_the_machine() + interval ''1 hour'''";
    run(&bed, an_hour_ahead).await;
    let says = "s ahead of this machine's";
    assert_named(&bed, "clock_offset", says, "time service").await;
    let offset = json(&bed, "status").await["clock_offset_seconds"].as_f64();
    assert!(offset.is_some_and(|offset| (offset - 3_600.0).abs() < 60.0), "{offset:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_went_back_is_named_although_all_agree() {
    let bed = Bed::start().await;
    let in_an_hour = "INSERT INTO shard_cursors (chain_id, updated_at)
                      VALUES (1, now() + interval '1 hour')";
    run(&bed, in_an_hour).await;
    assert_named(&bed, "clock_offset", "gone back by", "time service").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn events_of_blocks_that_nobody_knows_are_named() {
    let bed = Bed::start().await;
    // As the auditor leaves it; the indexer's tests show that it does.
    let unknown = "INSERT INTO audit_suspects (chain_id, block_number, block_hash, state)
                   VALUES (8453, 7, '0xbeef', 'unknown'), (8453, 9, '0xdead', 'unknown')";
    run(&bed, unknown).await;
    let says = "events of chain 8453 name 2 blocks that no node knows and 0 above its end";
    assert_named(&bed, "blocks_unknown", says, "see who wrote them").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chain_that_is_not_read_any_more_is_named() {
    let bed = Bed::start().await;
    // As the indexer leaves it; its tests show that it does.
    let stopped = "INSERT INTO chain_troubles (chain_id, reader, state, problem)
                   VALUES (8453, 'indexer', 'stopped', 'it is another chain''s'),
                          (1, 'auditor', 'failing', 'it hiccups')";
    run(&bed, stopped).await;
    let says = "the indexer of chain 8453 is stopped since";
    assert_named(&bed, "chains_unread", says, "a restart").await;
    let (said, _) = agentauri(&bed, &["status"]).await;
    assert!(!said.contains("hiccups"), "a moment's failure is no condition: {said}");
}

/// `status` warns of it, `doctor` fails by it, both in text and in JSON.
async fn assert_named(bed: &Bed, name: &str, says: &str, remedy: &str) {
    let (said, is_well) = agentauri(bed, &["status"]).await;
    let warning = said.lines().find(|line| line.starts_with("Warning") && line.contains(says));
    let warning = warning.unwrap_or_else(|| panic!("status does not warn: {said}"));
    assert!(is_well && warning.contains(remedy), "{warning}");
    assert!(warning.contains("docs/operations/conditions.md#"), "{warning}");

    let (said, is_well) = agentauri(bed, &["doctor"]).await;
    let failed = said.lines().any(|line| line.contains("FAILED") && line.contains(says));
    assert!(!is_well && failed && said.contains(remedy), "doctor does not fail: {said}");
    assert!(said.contains("docs/operations/conditions.md#"), "{said}");

    for found in [&json(bed, "status").await["conditions"], &json(bed, "doctor").await] {
        let condition = found.as_array().and_then(|all| all.iter().find(|it| it["name"] == name));
        let condition = condition.unwrap_or_else(|| panic!("{name} is not in {found}"));
        let text = |key: &str| condition[key].as_str().unwrap_or_default();
        assert!(condition["ok"] == false && text("says").contains(says), "{condition}");
        assert!(text("remedy").contains(remedy) && text("see").contains('#'), "{condition}");
    }
}

async fn run(bed: &Bed, statement: &'static str) {
    sqlx::query(statement).execute(&bed.strangers).await.expect("done");
}

async fn json(bed: &Bed, command: &str) -> Value {
    serde_json::from_str(&agentauri(bed, &[command, "--json"]).await.0).expect("JSON")
}

/// What a command says, and whether it ended well.
async fn agentauri(bed: &Bed, arguments: &[&str]) -> (String, bool) {
    let mut command = Process::command("agentauri", bed);
    let output = command.args(arguments).output().await.expect("it runs");
    (String::from_utf8(output.stdout).expect("text"), output.status.success())
}
