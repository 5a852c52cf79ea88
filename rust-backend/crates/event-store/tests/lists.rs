//! Lists, as PostgreSQL plans them: along an index, however many rows there are.

use std::collections::BTreeSet;

use event_engine::delivery::job_state::JobState;
use event_store::PgPool;
use event_store::views::destinations;
use event_store::views::events::{self, EventFilter};
use event_store::views::jobs::{self, JobFilter};
use event_store::views::triggers;
use private_servers::Postgres;
use serde_json::Value;
use sqlx::AssertSqlSafe;

/// Ten thousand of each: events of 50 chains, triggers of two accounts, and a job of each event.
const ROWS: &str = r#"
    INSERT INTO events (id, chain_id, block_number, block_hash, transaction_hash, log_index,
                        event_type, registry, "timestamp", agent_id)
    SELECT 'e' || n, n % 50, n / 50, '0xaa', '0xbb', n % 7, 'NewFeedback', 'reputation',
           1700000000 + n / 100, n % 500
    FROM generate_series(1, 10000) AS n;
    INSERT INTO triggers (id, account, name, state, version)
    SELECT md5('t' || n)::uuid, CASE WHEN n % 10 = 0 THEN 'other' ELSE 'default' END, 't' || n,
           CASE WHEN n % 2 = 0 THEN 'removed' ELSE 'active' END, 1
    FROM generate_series(1, 10000) AS n;
    INSERT INTO trigger_versions (trigger_id, version, definition, since, lineage, action_ids,
                                  action_versions)
    SELECT id, 1, '{"match_all": true}', 0, 1, '{hook}', '{1}' FROM triggers;
    INSERT INTO destinations (id, account, kind, address, form, origin, name)
    SELECT md5('d' || n)::uuid, 'default', 'webhook', 'https://example.org:443/' || n, 'url',
           'example.org:443', 'hook' || n
    FROM generate_series(1, 10000) AS n;
    INSERT INTO trigger_actions (trigger_id, action_id, version, action_type, config,
                                 destination_id)
    SELECT id, 'hook', 1, 'webhook',
           '{"url": "https://example.org/", "secret": "whsec_YQ=="}', md5('d1')::uuid
    FROM triggers;
    INSERT INTO jobs (id, trigger_id, trigger_version, action_id, action_version, chain_id,
                      event_id, event_timestamp, event_revision, triggers_revision, state,
                      attempts, created_at, finished_at, reason)
    SELECT md5('j' || n)::uuid, md5('t' || n % 100)::uuid, 1, 'hook', 1, n % 50, 'e' || n,
           1700000000 + n / 100, 0, 1, CASE WHEN n % 100 = 0 THEN 'dead' ELSE 'delivered' END, 1,
           'epoch'::timestamptz + make_interval(secs => n / 10), now(),
           CASE WHEN n % 100 = 0 THEN 'refused' END
    FROM generate_series(1, 10000) AS n"#;

/// The index of each way through a list.
const INDEXES: [&str; 7] = [
    "destinations_account_name_key",
    "events_chain_block",
    "events_latest",
    "jobs_dead",
    "jobs_event",
    "jobs_latest",
    "triggers_kept",
];

#[tokio::test]
async fn no_list_sorts_or_scans_a_whole_table() {
    let postgres = Postgres::for_test().expect("a private PostgreSQL");
    event_store::open(&postgres.url(), "test", 1).await.expect("the schema").close().await;
    // With one connection, each statement of a list is a prepared one of this session.
    let pool = event_store::connect(&postgres.url(), "test", 1).await.expect("a connection");
    run(&pool, "SET plan_cache_mode = force_generic_plan").await;
    run(&pool, ROWS).await;
    ask_each_list(&pool).await;
    // A table that has just been filled is one of which nothing is known.
    check_plans(&pool).await;
    run(&pool, "ANALYZE; DISCARD PLANS").await;
    check_plans(&pool).await;
}

/// Whatever the filter, the statement is the same; each of its ways is planned.
async fn ask_each_list(pool: &PgPool) {
    let filter = JobFilter { account: "default".to_owned(), ..JobFilter::default() };
    jobs::list(pool, &filter, None, 20).await.expect("jobs");
    events::list(pool, &EventFilter::default(), None, 20).await.expect("events");
    triggers::list(pool, "default", None, 20).await.expect("triggers");
    destinations::list(pool, "default", None, 20).await.expect("destinations");
}

async fn check_plans(pool: &PgPool) {
    let statements: Vec<(String, i32)> = sqlx::query_as(
        "SELECT name, cardinality(parameter_types) FROM pg_prepared_statements
         WHERE statement LIKE '%row_number()%' AND statement NOT LIKE '%pg_prepared%'",
    )
    .fetch_all(pool)
    .await
    .expect("statements");
    assert_eq!(statements.len(), 4, "one for each list");
    let mut indexes = BTreeSet::new();
    for (name, parameters) in &statements {
        let nulls = vec!["NULL"; usize::try_from(*parameters).expect("a number")].join(", ");
        let explain = format!("EXPLAIN (FORMAT JSON) EXECUTE {name}({nulls})");
        let plan: Value =
            sqlx::query_scalar(AssertSqlSafe(explain)).fetch_one(pool).await.expect("a plan");
        check(&plan[0]["Plan"], &mut indexes);
    }
    let missing: Vec<_> = INDEXES.iter().filter(|name| !indexes.contains(**name)).collect();
    assert!(missing.is_empty(), "{missing:?} of {indexes:?}");
}

fn check(node: &Value, indexes: &mut BTreeSet<String>) {
    let kind = node["Node Type"].as_str().expect("a node");
    assert_ne!(kind, "Seq Scan", "{node:#}");
    if kind == "Sort" {
        // Of a few rows: those within a limit, or the jobs of one event.
        let below = node["Plans"].to_string();
        let is_bounded = below.contains(r#""Node Type":"Limit""#) || below.contains("jobs_event");
        assert!(is_bounded, "{node:#}");
    }
    // A chunk of a hypertable has its own, which is named like the table's.
    let name = node["Index Name"].as_str().and_then(|name| name.rsplit("_chunk_").next());
    indexes.extend(name.map(str::to_owned));
    node["Plans"].as_array().into_iter().flatten().for_each(|plan| check(plan, indexes));
}

/// Plans are kept: one that is made while a table is empty has to be right for a full one.
#[tokio::test]
async fn no_index_of_a_list_is_a_way_to_a_named_row() {
    let postgres = Postgres::for_test().expect("a private PostgreSQL");
    let pool = event_store::open(&postgres.url(), "test", 1).await.expect("the schema");
    let lookups = [
        ("SELECT FROM jobs WHERE id = md5('j1')::uuid", "jobs_pkey"),
        ("SELECT FROM triggers WHERE id = md5('t1')::uuid", "triggers_pkey"),
        (r#"SELECT FROM events WHERE id = 'e1' AND "timestamp" = 1700000000"#, "events_pkey"),
    ];
    for statement in ["", "ANALYZE", ROWS, "ANALYZE"] {
        run(&pool, statement).await;
        for (lookup, key) in lookups {
            let explain = AssertSqlSafe(format!("EXPLAIN (FORMAT JSON) {lookup}"));
            let plan: Value = sqlx::query_scalar(explain).fetch_one(&pool).await.expect("a plan");
            let mut indexes = BTreeSet::new();
            check(&plan[0]["Plan"], &mut indexes);
            assert!(indexes.iter().all(|index| index == key), "{lookup}: {indexes:?}");
        }
    }
}

#[tokio::test]
async fn each_way_to_list_jobs_finds_what_a_filter_by_hand_does() {
    let postgres = Postgres::for_test().expect("a private PostgreSQL");
    let pool = event_store::open(&postgres.url(), "test", 2).await.expect("the schema");
    run(&pool, ROWS).await;
    for (state, trigger, event) in [
        (None, None, None),
        (Some(JobState::Dead), None, None),
        (Some(JobState::Dead), Some("t0"), None),
        (Some(JobState::Delivered), Some("t7"), None),
        (None, Some("t7"), None),
        (None, None, Some("e77")),
        (Some(JobState::Dead), None, Some("e77")),
        (Some(JobState::Cancelled), None, None),
    ] {
        let by_hand: Vec<String> = sqlx::query_scalar(
            "SELECT id::text FROM jobs
             WHERE ($1::text IS NULL OR state = $1)
               AND ($2::text IS NULL OR trigger_id = md5($2)::uuid)
               AND ($3::text IS NULL OR event_id = $3)
               AND NOT EXISTS (SELECT FROM triggers t WHERE t.id = trigger_id
                                                        AND account <> 'default')
             ORDER BY created_at DESC, id DESC",
        )
        .bind(state.map(JobState::as_str))
        .bind(trigger)
        .bind(event)
        .fetch_all(&pool)
        .await
        .expect("ids");
        let trigger_id = match trigger {
            None => None,
            Some(name) => {
                let id = sqlx::query_scalar("SELECT md5($1)::uuid").bind(name);
                Some(id.fetch_one(&pool).await.expect("an id"))
            }
        };
        let filter = JobFilter {
            account: "default".to_owned(),
            state,
            trigger_id,
            event_id: event.map(str::to_owned),
        };
        assert_eq!(listed(&pool, &filter).await, by_hand, "{filter:?}");
    }
}

/// The ids of a list, in slices that end within a transaction's jobs.
async fn listed(pool: &PgPool, filter: &JobFilter) -> Vec<String> {
    let (mut ids, mut after) = (Vec::new(), None);
    loop {
        let slice = jobs::list(pool, filter, after.as_ref(), 777).await.expect("a slice");
        ids.extend(slice.rows.iter().map(|job| job.id.to_string()));
        after = slice.next;
        if after.is_none() {
            return ids;
        }
    }
}

async fn run(pool: &PgPool, statements: &'static str) {
    sqlx::raw_sql(statements).execute(pool).await.expect("done");
}
