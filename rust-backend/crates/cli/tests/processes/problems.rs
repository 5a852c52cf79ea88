//! Problems are never silent: each is provoked, and named by `status` and by `doctor`.

use serde_json::Value;
use testbed::{Bed, Process, Row, eventually, trigger_file};

const PAGE: &str =
    include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../docs/operations/problems.md"));

#[tokio::test(flavor = "multi_thread")]
async fn nothing_warns_where_all_is_well_and_problems_have_pages() {
    let bed = Bed::start().await;
    let (said, is_well) = agentauri(&bed, &["status"]).await;
    assert!(is_well && !said.contains("Warning"), "{said}");
    let (said, is_well) = agentauri(&bed, &["doctor"]).await;
    assert!(is_well && !said.contains("FAILED"), "{said}");
    let (problems, _doors) = PAGE.split_once("\n# Open doors").expect("two parts");
    let sections: Vec<String> = problems
        .lines()
        .filter_map(|line| line.strip_prefix("## "))
        .map(|heading| heading.to_lowercase().replace(' ', "-"))
        .collect();
    let status = json(&bed, "status").await;
    let problems = status["problems"].as_array().expect("a list");
    assert_eq!(problems.len(), sections.len());
    for problem in problems {
        let (name, see) = (&problem["name"], problem["see"].as_str().expect("text"));
        let section = see.strip_prefix("docs/operations/problems.md#").expect(see);
        assert!(sections.iter().any(|known| known == section), "{see}");
        assert!(PAGE.contains(&format!("`{}`", name.as_str().expect("text"))), "{name}");
        assert_eq!(problem["ok"], true, "{problem}");
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
    assert_named(&bed, "notification_queue_filling", says, "notifications stop").await;
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
    let an_hour_ahead =
        "ALTER FUNCTION pg_catalog.clock_timestamp() RENAME TO clock_of_the_machine;
                         CREATE FUNCTION pg_catalog.clock_timestamp() RETURNS timestamptz
                         LANGUAGE sql AS 'SELECT clock_of_the_machine() + interval ''1 hour'''";
    let superuser = bed.superuser().await;
    sqlx::raw_sql(an_hour_ahead).execute(&superuser).await.expect("moved");
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
    assert_named(&bed, "clock_offset", "set back by", "time service").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn events_of_blocks_that_nobody_knows_are_named() {
    let bed = Bed::start().await;
    // As the auditor leaves it; the indexer's tests show that it does.
    let unknown = "INSERT INTO audit_suspects (chain_id, block_number, block_hash, state)
                   VALUES (8453, 7, '0xbeef', 'unknown'), (8453, 9, '0xdead', 'unknown')";
    run(&bed, unknown).await;
    let says = "events of chain 8453 name 2 blocks that no node knows and 0 above its end";
    assert_named(&bed, "blocks_unknown", says, "find their writer").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chain_that_is_not_read_any_more_is_named() {
    let bed = Bed::start().await;
    // As the indexer leaves it; its tests show that it does.
    let stopped = "INSERT INTO chain_readers (chain_id, reader, state, problem, since)
                   VALUES (8453, 'indexer', 'stopped', 'it is another chain''s', now()),
                          (1, 'auditor', 'failing', 'it hiccups', now())";
    run(&bed, stopped).await;
    let says = "the indexer of chain 8453 is stopped since";
    assert_named(&bed, "chains_unread", says, "restart the indexer").await;
    let (said, _) = agentauri(&bed, &["status"]).await;
    assert!(!said.contains("hiccups"), "a moment's failure is no problem: {said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stranger_with_our_lock_is_named_by_status_and_doctor() {
    let bed = Bed::start().await;
    bed.make_role("stranger").await;
    let options: sqlx::postgres::PgConnectOptions = bed.postgres.url().parse().expect("a URL");
    let options = options.username("stranger").password("stranger").application_name("a tool");
    let pool = sqlx::postgres::PgPoolOptions::new().max_connections(1);
    let stranger = pool.connect_with(options).await.expect("a connection");
    let address = free_address();
    let _processor = Process::start("event-processor", &bed, &[("AGENTAURI_LISTEN", &address)]);
    let ready = async || {
        let client = service::http::client_builder().build().expect("a client");
        let answer = client.get(format!("http://{address}/ready")).send().await.ok()?;
        Some((answer.status().as_u16(), answer.text().await.ok()?))
    };
    eventually("it is ready", async || ready().await.is_some_and(|it| it.0 == 200)).await;
    Row::new("first").insert(&bed.pool).await.expect("inserted");
    let judged = "SELECT count(*) FROM shard_cursors WHERE entries_judged > 0";
    eventually("it is judged", async || bed.count(judged).await == 1).await;
    let hold = "SELECT pg_advisory_lock(hashtextextended('agentauri shard 1', 0))";
    sqlx::query(hold).execute(&stranger).await.expect("held");
    let says = "the lock of chain 1 is held by session";
    assert_named(&bed, "locks_held_by_others", says, "pg_terminate_backend").await;
    assert_named(&bed, "locks_held_by_others", "of role stranger (a tool) from", "CONNECT").await;
    let took = eventually("/ready names it", async || {
        ready().await.is_some_and(|(status, text)| {
            status == 503 && text.contains("of role stranger (a tool) from")
        })
    })
    .await;
    assert!(took.as_secs() < 30, "{took:?}");
    stranger.close().await;
    eventually("it is ready again", async || ready().await.is_some_and(|it| it.0 == 200)).await;
    let (said, is_well) = agentauri(&bed, &["doctor"]).await;
    assert!(is_well, "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_look_at_locks_that_fails_is_named_and_hides_nothing_else() {
    let bed = Bed::start().await;
    Row::new("waits").insert(&bed.pool).await.expect("inserted");
    run(&bed, "UPDATE event_log SET logged_at = now() - interval '1 minute'").await;
    let closed = sqlx::query("REVOKE SELECT ON pg_catalog.pg_locks FROM PUBLIC");
    closed.execute(&bed.superuser().await).await.expect("closed");
    let says = "who holds them cannot be seen: ";
    assert_named(&bed, "locks_held_by_others", says, "pg_terminate_backend").await;
    let says = "an event of chain 1 has waited to be judged for 6";
    assert_named(&bed, "events_unjudged", says, "start an event-processor").await;

    let address = free_address();
    let processor = Process::start("event-processor", &bed, &[("AGENTAURI_LISTEN", &address)]);
    let answer = async |path: &str| {
        let client = service::http::client_builder().build().expect("a client");
        let answer = client.get(format!("http://{address}/{path}")).send().await.ok()?;
        Some((answer.status().as_u16(), answer.text().await.ok()?))
    };
    eventually("/ready says so, and 200", async || {
        let says = "who holds locks of ours cannot be seen";
        answer("ready").await.is_some_and(|(status, text)| status == 200 && text.contains(says))
    })
    .await;
    assert!(processor.said("Who holds locks of ours cannot be seen"), "{:?}", processor.lines());
    let (_, metrics) = answer("metrics").await.expect("an answer");
    assert!(metrics.contains("agentauri_database_up 1"), "{metrics}");
    assert!(metrics.contains("agentauri_jobs_overdue 0"), "{metrics}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_that_would_leave_out_a_chain_of_ours_is_refused() {
    let bed = Bed::start().await;
    run(
        &bed,
        "INSERT INTO checkpoints (chain_id, block_number, block_hash) VALUES (77, 1, '0xaa')",
    )
    .await;
    run(&bed, "INSERT INTO named_chains (chain_id, named_by) VALUES (78, 'file')").await;
    bed.apply(&trigger_file("https://example.org/hook", &[("t", "chains: [79]")])).await;
    let mut command = Process::command("agentauri", &bed);
    let output = command.args(["chains", "allow", "1", "77"]).output().await.expect("it runs");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success() && said.contains("would be refused: 78; name"), "{said}");
    assert_eq!(bed.count("SELECT count(*) FROM chain_list").await, 0);
    let (said, is_well) = agentauri(&bed, &["chains", "allow", "1", "77", "78"]).await;
    assert!(is_well && said.contains("and no others: 1 77 78"), "{said}");
    let (said, is_well) = agentauri(&bed, &["chains", "allow", "2"]).await;
    assert!(is_well && said.contains("and no others: 1 2 77 78"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_block_time_that_is_ahead_is_named() {
    let bed = Bed::start().await;
    let _processor = Process::start("event-processor", &bed, &[]);
    let row = Row { chain_id: 8453, timestamp: 4_076_000_000, ..Row::new("future") };
    row.insert(&bed.pool).await.expect("stored, not refused");
    let told = "SELECT count(*) FROM times_ahead";
    eventually("it is judged", async || bed.count(told).await == 1).await;
    let says = "1 events of chain 8453 were ahead so far, the last one future with 2099-";
    assert_named(&bed, "block_times_ahead", says, "a minute ahead at most").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn status_shows_known_chains_and_some_of_the_others() {
    let bed = Bed::start().await;
    let (said, _) = agentauri(&bed, &["chains", "allow", "3", "1000005"]).await;
    assert!(said.contains("Events may name these chains and no others: 3 1000005"), "{said}");
    let (said, _) = agentauri(&bed, &["chains", "allow", "--any"]).await;
    assert!(said.contains("Events may name any chain."), "{said}");
    bed.apply(&trigger_file("https://example.org/hook", &[("t", "chains: [1000005]")])).await;
    run(
        &bed,
        "INSERT INTO events (id, chain_id, block_number, block_hash, transaction_hash, log_index,
                             event_type, registry, \"timestamp\")
         SELECT 'u' || n, 1000000 + n, 1, '0xaa', '0xtx', 0, 'Registered', 'identity', 1750000000
         FROM generate_series(1, 300) AS n",
    )
    .await;
    let status = json(&bed, "status").await;
    assert_eq!(status["shards"].as_array().map(Vec::len), Some(51));
    assert_eq!(status["shards_not_shown"]["number"], 249);
    assert_eq!(status["shards_not_shown"]["entries_behind"], 249);
    let (said, _) = agentauri(&bed, &["status"]).await;
    assert!(said.contains("249 unknown chains are not shown"), "{said}");
}

pub(crate) fn free_address() -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("bound").to_string()
}

/// `status` warns of it, `doctor` fails by it, both in text and in JSON.
async fn assert_named(bed: &Bed, name: &str, says: &str, remedy: &str) {
    let (said, is_well) = agentauri(bed, &["status"]).await;
    let warning = said.lines().find(|line| line.starts_with("Warning") && line.contains(says));
    let warning = warning.unwrap_or_else(|| panic!("status does not warn: {said}"));
    assert!(is_well && warning.contains(remedy), "{warning}");
    assert!(warning.contains("docs/operations/problems.md#"), "{warning}");

    let (said, is_well) = agentauri(bed, &["doctor"]).await;
    let failed = said.lines().any(|line| line.contains("FAILED") && line.contains(says));
    assert!(!is_well && failed && said.contains(remedy), "doctor does not fail: {said}");
    assert!(said.contains("docs/operations/problems.md#"), "{said}");

    for found in [&json(bed, "status").await["problems"], &json(bed, "doctor").await] {
        let problem = found.as_array().and_then(|all| all.iter().find(|it| it["name"] == name));
        let problem = problem.unwrap_or_else(|| panic!("{name} is not in {found}"));
        let text = |key: &str| problem[key].as_str().unwrap_or_default();
        assert!(problem["ok"] == false && text("says").contains(says), "{problem}");
        assert!(text("remedy").contains(remedy) && text("see").contains('#'), "{problem}");
    }
}

async fn run(bed: &Bed, statement: &'static str) {
    sqlx::query(statement).execute(&bed.strangers).await.expect("done");
}

async fn json(bed: &Bed, command: &str) -> Value {
    serde_json::from_str(&agentauri(bed, &[command, "--json"]).await.0).expect("JSON")
}

/// What a command says, and whether it ended well.
pub(crate) async fn agentauri(bed: &Bed, arguments: &[&str]) -> (String, bool) {
    let mut command = Process::command("agentauri", bed);
    let output = command.args(arguments).output().await.expect("it runs");
    (String::from_utf8(output.stdout).expect("text"), output.status.success())
}
