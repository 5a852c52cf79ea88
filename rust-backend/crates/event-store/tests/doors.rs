//! What `doctor` is told of a database in which a door stands open: each of a kind is opened, and
//! it alone is found.

use event_store::PgPool;
use event_store::events::unlogged_events::{Unlogged, unlogged};
use event_store::views::doors;
use private_servers::Postgres;

/// Each says by its bits which rows are written past the log.
const SEEDS: std::ops::Range<u32> = 0..6;

#[tokio::test]
async fn where_no_door_is_open_none_is_found() {
    let (_postgres, pool) = database().await;
    insert(&pool, "one", 0).await;
    assert_eq!(all(&pool).await, Vec::<String>::new());
}

#[tokio::test]
async fn each_function_that_others_may_run_as_the_owner_is_found() {
    let (postgres, pool) = database().await;
    make_stranger(&postgres).await;
    let ours = "SELECT proname::text FROM pg_proc WHERE prosecdef AND proname <> 'could_match'
                AND pronamespace = 'public'::regnamespace ORDER BY 1";
    let ours = lines(&pool, ours).await;
    assert!(ours.len() >= 8, "{ours:?}");
    for function in &ours {
        for role in ["PUBLIC", "stranger"] {
            run(&pool, &format!("GRANT EXECUTE ON FUNCTION {function} TO {role}")).await;
            assert_eq!(all(&pool).await, [format!("{function} by {role}")]);
            run(&pool, &format!("REVOKE EXECUTE ON FUNCTION {function} FROM {role}")).await;
        }
        for path in ["RESET search_path", "SET search_path = \"$user\", public, pg_temp"] {
            run(&pool, &format!("ALTER FUNCTION {function} {path}")).await;
            assert_eq!(all(&pool).await, [function.as_str()]);
            let closed = "SET search_path = pg_catalog, pg_temp";
            run(&pool, &format!("ALTER FUNCTION {function} {closed}")).await;
        }
    }
}

#[tokio::test]
async fn each_function_that_runs_as_a_superuser_is_found() {
    let (postgres, pool) = database().await;
    let superuser = make_stranger(&postgres).await;
    run(&superuser, "ALTER FUNCTION log_checkpoint OWNER TO postgres").await;
    assert_eq!(all(&pool).await, ["log_checkpoint as postgres"]);
    run(&superuser, "SELECT give_to_owner()").await;
    assert_eq!(all(&pool).await, Vec::<String>::new());
}

#[tokio::test]
async fn each_trigger_that_is_missing_or_does_not_fire_is_found() {
    let (postgres, pool) = database().await;
    insert(&pool, "one", 0).await;
    // Copies on chunks first: they go with the hypertable's.
    let ours = "SELECT format('%s ON %s', tgname, tgrelid::regclass) FROM pg_trigger
                WHERE tgname LIKE 'trigger\\_%' AND tgname <> 'trigger_notify_replicated_events'
                ORDER BY tgrelid DESC";
    let ours = lines(&pool, ours).await;
    assert_eq!(ours.len(), if postgres.has_timescaledb() { 15 } else { 13 }, "{ours:?}");
    for trigger in &ours {
        let (name, table) = trigger.split_once(" ON ").expect("a name and a table");
        let on_chunk = table.contains('.');
        for (statement, fault) in [
            (format!("ALTER TABLE {table} ENABLE TRIGGER {name}"), "is not ALWAYS"),
            (format!("ALTER TABLE {table} DISABLE TRIGGER {name}"), "is disabled"),
            (format!("DROP TRIGGER {name} ON {table}"), "is missing"),
        ] {
            alter(&postgres, &pool, &statement).await;
            let found = doors::failing_triggers(&pool).await.expect("an answer");
            let said = found.contains(&format!("{name} on {table} {fault}"));
            // A copy on a chunk never is.
            assert_eq!(said, !(on_chunk && fault == "is not ALWAYS"), "{statement}: {found:?}");
        }
    }
}

#[tokio::test]
async fn whoever_may_put_code_where_ours_runs_is_found() {
    let (postgres, pool) = database().await;
    let superuser = make_stranger(&postgres).await;
    for role in ["PUBLIC", "stranger"] {
        run(&pool, &format!("GRANT CREATE ON SCHEMA public TO {role}")).await;
        assert_eq!(all(&pool).await, [role]);
        run(&pool, &format!("REVOKE CREATE ON SCHEMA public FROM {role}")).await;
    }
    let tables = "SELECT relname::text FROM pg_class WHERE relkind = 'r'
                  AND relnamespace = 'public'::regnamespace ORDER BY 1";
    for table in lines(&pool, tables).await {
        run(&pool, &format!("GRANT TRIGGER ON {table} TO stranger")).await;
        assert_eq!(all(&pool).await, [format!("stranger on {table}")]);
        run(&pool, &format!("REVOKE TRIGGER ON {table} FROM stranger")).await;
    }
    run(&pool, "CREATE FUNCTION json_build_object(text, text) RETURNS text LANGUAGE sql RETURN $1")
        .await;
    assert_eq!(all(&pool).await, Vec::<String>::new(), "the owner's own are no stranger's");
    run(&superuser, "ALTER FUNCTION json_build_object(text, text) OWNER TO stranger").await;
    assert_eq!(all(&pool).await, ["function json_build_object(text,text) of stranger"]);
}

#[tokio::test]
async fn a_chunk_that_is_reached_or_bound_by_others_is_found() {
    let (postgres, pool) = database().await;
    if !postgres.has_timescaledb() {
        return;
    }
    insert(&pool, "one", 0).await;
    let chunk = "SELECT inhrelid::regclass::text FROM pg_inherits
                 WHERE inhparent = 'events'::regclass";
    let chunk = lines(&pool, chunk).await.pop().expect("a chunk");
    run(&pool, "GRANT USAGE ON SCHEMA event_chunks TO PUBLIC").await;
    assert_eq!(all(&pool).await, ["1 in event_chunks, which PUBLIC may use"]);
    run(&pool, "REVOKE USAGE ON SCHEMA event_chunks FROM PUBLIC").await;
    run(&pool, "CREATE FUNCTION mine(bigint) RETURNS boolean LANGUAGE sql RETURN true").await;
    let check = format!("ALTER TABLE {chunk} ADD CONSTRAINT mine CHECK (mine(\"timestamp\"))");
    run(&pool, &check).await;
    assert_eq!(all(&pool).await, [format!("{chunk} calls function mine(bigint)")]);
}

#[tokio::test]
async fn a_strangers_table_is_not_taken_for_the_migrators() {
    let postgres = Postgres::for_test().expect("a private PostgreSQL");
    let pool = event_store::connect(&postgres.url(), "test", 2).await.expect("a connection");
    // Whoever inserts there runs this as itself.
    let superuser = make_stranger(&postgres).await;
    let planted = "GRANT CREATE ON SCHEMA public TO PUBLIC;
        SET ROLE stranger;
        CREATE TABLE _sqlx_migrations (
            version BIGINT PRIMARY KEY, description TEXT NOT NULL,
            installed_on TIMESTAMPTZ NOT NULL DEFAULT now(), success BOOLEAN NOT NULL,
            checksum BYTEA NOT NULL, execution_time BIGINT NOT NULL);
        RESET ROLE";
    run(&superuser, planted).await;
    let refused =
        event_store::connection::migrations::migrate(&pool).await.expect_err("a stranger's table");
    assert!(refused.to_string().contains("_sqlx_migrations belongs to stranger"), "{refused}");
    let missing =
        event_store::connection::migrations::missing(&pool).await.expect_err("a stranger's table");
    assert_eq!(missing.to_string(), refused.to_string());
    run(&superuser, "DROP TABLE _sqlx_migrations").await;
    event_store::connection::migrations::migrate(&pool).await.expect("migrated");
    assert_eq!(all(&pool).await, Vec::<String>::new());
    event_store::connection::migrations::migrate(&pool).await.expect("migrated again");
}

/// Writes of every kind, some of them past the log, as the bits of a seed say.
#[tokio::test]
async fn each_row_that_was_written_past_the_log_is_counted() {
    let (postgres, pool) = database().await;
    let mut past = Vec::new();
    for seed in SEEDS {
        for (place, (trigger, statement)) in WRITES.into_iter().enumerate() {
            let id = format!("{seed} {place}");
            insert(&pool, &id, i64::from(seed)).await;
            // A hypertable's row triggers fire on its chunks, whatever is said of itself.
            let fires = postgres.has_timescaledb() && trigger == "trigger_revise_event";
            let is_past = (seed * 7 + 3) >> place & 1 == 1 && !fires;
            if is_past {
                let disabled = format!("ALTER TABLE events DISABLE TRIGGER {trigger}");
                alter(&postgres, &pool, &disabled).await;
            }
            run(&pool, &statement.replace("ID", &id)).await;
            let enabled = format!("ALTER TABLE events ENABLE TRIGGER {trigger}");
            alter(&postgres, &pool, &enabled).await;
            past.extend(is_past.then_some(id));
            let expected =
                Unlogged::Rows(past.len().try_into().expect("few"), past.iter().min().cloned());
            assert_eq!(unlogged(&pool).await.expect("an answer"), expected, "{statement}");
        }
    }
    assert!(past.len() > 8, "{past:?}");
}

/// A trigger, and a write that is past the log without it.
const WRITES: [(&str, &str); 4] = [
    (
        "trigger_log_inserted_events",
        "DELETE FROM events WHERE id = 'ID';
         DELETE FROM event_log WHERE event_id = 'ID';
         INSERT INTO events (id, chain_id, block_number, block_hash, transaction_hash, log_index,
             event_type, registry, \"timestamp\")
         VALUES ('ID', 1, 1, '0xaa', '0xbb', 0, 'NewFeedback', 'reputation', 31536000)",
    ),
    ("trigger_log_revised_events", "UPDATE events SET invalidated = true WHERE id = 'ID'"),
    ("trigger_log_revised_events", "UPDATE events SET block_hash = '0xcc' WHERE id = 'ID'"),
    ("trigger_revise_event", "UPDATE events SET invalidated = true WHERE id = 'ID'"),
];

async fn database() -> (Postgres, PgPool) {
    let postgres = Postgres::for_test().expect("a private PostgreSQL");
    let pool = event_store::open(&postgres.url(), "test", 2).await.expect("the schema");
    (postgres, pool)
}

/// A role without any grant. The connections are the superuser's who made it.
async fn make_stranger(postgres: &Postgres) -> PgPool {
    let url = postgres.superuser_url();
    let superuser = event_store::connect(&url, "test", 1).await.expect("a connection");
    run(&superuser, "CREATE ROLE stranger").await;
    superuser
}

/// Everything that is found.
async fn all(pool: &PgPool) -> Vec<String> {
    let mut found = doors::owners_functions_of_others(pool).await.expect("an answer");
    found.extend(doors::owners_functions_without_path(pool).await.expect("an answer"));
    found.extend(doors::superusers_functions(pool).await.expect("an answer"));
    found.extend(doors::creators_in_public(pool).await.expect("an answer"));
    found.extend(doors::strangers_functions(pool).await.expect("an answer"));
    found.extend(doors::attachers(pool).await.expect("an answer"));
    found.extend(doors::reachable_chunks(pool).await.expect("an answer"));
    found.extend(doors::chunks_with_foreign_bounds(pool).await.expect("an answer"));
    found.extend(doors::failing_triggers(pool).await.expect("an answer"));
    found
}

/// An event, in a week that is so many after the first of 1971.
async fn insert(pool: &PgPool, id: &str, week: i64) {
    let timestamp = 31_536_000 + week * 604_800;
    let statement = format!(
        "INSERT INTO events (id, chain_id, block_number, block_hash, transaction_hash, log_index,
             event_type, registry, \"timestamp\")
         VALUES ('{id}', 1, 1, '0xaa', '0xbb', 0, 'NewFeedback', 'reputation', {timestamp})"
    );
    run(pool, &statement).await;
}

/// Changes a trigger, which TimescaleDB lets only a restore do.
async fn alter(postgres: &Postgres, pool: &PgPool, statement: &str) {
    if postgres.has_timescaledb() {
        let restoring = "SET timescaledb.restoring = on";
        run(pool, &format!("{restoring}; {statement}; RESET timescaledb.restoring")).await;
    } else {
        run(pool, statement).await;
    }
}

async fn run(pool: &PgPool, statements: &str) {
    let done = sqlx::raw_sql(sqlx::AssertSqlSafe(statements)).execute(pool).await;
    done.unwrap_or_else(|error| panic!("{statements}: {error}"));
}

async fn lines(pool: &PgPool, query: &'static str) -> Vec<String> {
    sqlx::query_scalar(query).fetch_all(pool).await.expect("lines")
}
