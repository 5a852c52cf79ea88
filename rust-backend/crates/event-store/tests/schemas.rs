//! To whom a schema belongs once it is migrated, and whose schema is refused.

use std::process::Command;

use event_store::connection::migrations::{migrate, missing};
use event_store::{PgPool, StoreError};
use private_servers::Postgres;
use sqlx::postgres::PgPoolOptions;
use sqlx::{AssertSqlSafe, Executor as _};

/// Also what `database/tests/test-owner-role.sh` asks, on a superuser's objects of every kind.
const SUPERUSER_OWNED: &str = include_str!("../../../../database/tests/superuser_owned.sql");
const TESTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../database/tests");
const INSERT: &str = "INSERT INTO events (id, chain_id, block_number, block_hash, transaction_hash,
        log_index, event_type, registry, timestamp)
    VALUES ($1, 1, 1, '0xa', '0xb', 0, 'AgentRegistered', 'identity', $2)";
/// All that a refusal could have left behind.
const MADE: &str = "SELECT concat_ws(' ', (SELECT count(*) FROM pg_class),
    (SELECT count(*) FROM pg_proc), (SELECT count(*) FROM pg_trigger),
    (SELECT count(*) FROM pg_roles), (SELECT count(*) FROM _sqlx_migrations))";

#[tokio::test]
async fn a_superuser_who_migrates_owns_nothing_of_it() {
    let server = Postgres::for_test().expect("a private PostgreSQL");
    let superuser = pool(&server.superuser_url()).await;
    // As the seed's server is: it knows no owner role, and all is the superuser's.
    for statement in [
        "ALTER DATABASE agentauri_backend OWNER TO postgres",
        "DROP OWNED BY agentauri_owner",
        "DROP ROLE agentauri_owner",
    ] {
        superuser.execute(statement).await.expect(statement);
    }
    for _ in 0..2 {
        let migrated = event_store::open(&server.superuser_url(), "test", 4).await;
        let migrated = migrated.expect("the schema");
        let owned: Vec<String> =
            sqlx::query_scalar(SUPERUSER_OWNED).fetch_all(&migrated).await.expect("a look");
        assert!(owned.is_empty(), "{owned:#?}");
        let role = "SELECT concat_ws(' ', relowner::regrole, rolsuper, rolcreaterole)
                    FROM pg_class JOIN pg_roles r ON r.oid = relowner
                    WHERE relname = '_sqlx_migrations'";
        assert_eq!(text(&migrated, role).await, "agentauri_owner f f");
    }
    // Both go on: the superuser as before, the owner once it may log in.
    superuser.execute("ALTER ROLE agentauri_owner LOGIN").await.expect("altered");
    let owner = event_store::open(&server.url(), "test", 4).await.expect("the schema");
    for (pool, name, time) in [(&superuser, "one", 31_536_000_i64), (&owner, "two", 60_000_000)] {
        sqlx::query(INSERT).bind(name).bind(time).execute(pool).await.expect("inserted");
    }
    assert_eq!(text(&owner, "SELECT count(*)::text FROM event_log").await, "2");
    let left: Vec<String> =
        sqlx::query_scalar(SUPERUSER_OWNED).fetch_all(&owner).await.expect("a look");
    assert!(left.is_empty(), "chunks, too: {left:#?}");
}

#[tokio::test]
async fn on_a_private_server_rows_of_the_replica_role_are_events_too() {
    let server = Postgres::for_test().expect("a private PostgreSQL");
    event_store::open(&server.url(), "test", 2).await.expect("the schema, by its owner");
    for test in ["test-replica-role.sql", "test-writer-role.sql"] {
        let output = Command::new("psql")
            .args(["-X", "-q", "-f", test, &server.superuser_url()])
            .current_dir(TESTS)
            .output()
            .expect("psql");
        let said = [&output.stdout, &output.stderr].map(|text| String::from_utf8_lossy(text));
        let said = said.concat();
        assert!(output.status.success() && !said.contains("not ok"), "{test}: {said}");
    }
}

#[tokio::test]
async fn another_versions_schema_is_refused_and_nothing_is_changed() {
    let server = Postgres::for_test().expect("a private PostgreSQL");
    let pool = event_store::open(&server.url(), "test", 2).await.expect("the schema");
    let versions: Vec<i64> =
        sqlx::query_scalar("SELECT version FROM _sqlx_migrations ORDER BY version")
            .fetch_all(&pool)
            .await
            .expect("what was applied");
    assert_eq!(missing(&pool).await.expect("a number"), 0);
    pool.execute("CREATE TABLE kept AS TABLE _sqlx_migrations").await.expect("kept");
    let edited = "UPDATE _sqlx_migrations SET checksum = '\\x00'";
    for (at, version) in versions.iter().enumerate() {
        // As one that was edited since, alone or with what came after it not there yet; as one
        // that we do not have; and with everything before it gone, which is not to be made again.
        for (change, named) in [
            (format!("{edited} WHERE version = {version}"), *version),
            (format!("{edited} WHERE version >= {version}"), *version),
            (
                format!(
                    "WITH later AS (DELETE FROM _sqlx_migrations WHERE version > {version})
                     {edited} WHERE version = {version}"
                ),
                *version,
            ),
            (format!("UPDATE _sqlx_migrations SET version = 7 WHERE version = {version}"), 7),
            (
                format!(
                    "WITH earlier AS (DELETE FROM _sqlx_migrations WHERE version < {version})
                     {edited} WHERE version = {version}"
                ),
                *version,
            ),
        ] {
            pool.execute(AssertSqlSafe(change.clone())).await.expect("changed");
            refused(&pool, named, &change).await;
            pool.execute("DELETE FROM _sqlx_migrations").await.expect("emptied");
            let back = "INSERT INTO _sqlx_migrations TABLE kept";
            pool.execute(back).await.expect("put back");
        }
        // What only lacks the later ones is ours.
        let cut = format!("DELETE FROM _sqlx_migrations WHERE version > {version}");
        pool.execute(AssertSqlSafe(cut)).await.expect("changed");
        assert_eq!(missing(&pool).await.expect("a number"), versions.len() - at - 1);
        pool.execute("DELETE FROM _sqlx_migrations").await.expect("emptied");
        pool.execute("INSERT INTO _sqlx_migrations TABLE kept").await.expect("put back");
    }
    migrate(&pool).await.expect("ours again");
}

async fn refused(pool: &PgPool, version: i64, change: &str) {
    let before = text(pool, MADE).await;
    let error = migrate(pool).await.expect_err(change);
    let same = matches!(error, StoreError::OtherSchema { version: named } if named == version);
    assert!(same, "{change}: {error}");
    assert!(missing(pool).await.is_err(), "{change}: who only looks is told, too");
    let said = error.to_string();
    for words in ["another version", "a new database", "index the chains again", "start_block"] {
        assert!(said.contains(words), "{said}");
    }
    assert_eq!(text(pool, MADE).await, before, "{change}");
}

/// Connections as a stranger makes them.
async fn pool(url: &str) -> PgPool {
    PgPoolOptions::new().max_connections(2).connect(url).await.expect("connections")
}

async fn text(pool: &PgPool, query: &'static str) -> String {
    sqlx::query_scalar(query).fetch_one(pool).await.expect("a text")
}
