//! Databases that are not as ours are: they work, or are refused before the first table is made.

use std::net::{Ipv4Addr, Ipv6Addr, TcpListener, TcpStream};

use sqlx::{AssertSqlSafe, PgPool};
use testbed::{Bed, Pooler, Process, Receiver, Row, eventually, trigger_file};
use url::Url;

/// Relations of anybody but PostgreSQL.
const RELATIONS: &str =
    "SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace
                         WHERE nspname !~ '^(pg_|information_schema$)'";

#[tokio::test(flavor = "multi_thread")]
async fn a_pooler_in_session_mode_serves_as_postgresql_does() {
    // A parameter that it does not know is refused, or passed over.
    for lines in ["", "ignore_startup_parameters = options, extra_float_digits"] {
        let (bed, receiver) = (Bed::start_over_tcp().await, Receiver::start().await);
        let superuser = bed.superuser().await;
        for statement in [
            "CREATE DATABASE fresh OWNER agentauri_owner",
            "ALTER ROLE agentauri_owner SET search_path = elsewhere",
        ] {
            sqlx::query(statement).execute(&superuser).await.expect(statement);
        }
        let pooler = Pooler::before(&bed.postgres, &format!("pool_mode = session\n{lines}")).await;
        let (code, said) = agentauri(&bed, &["migrate"], &pooler.url_of("fresh")).await;
        assert_eq!(code, Some(0), "{lines}: {said}");
        bed.apply(&trigger_file(&receiver.url(), &[("all", "match_all: true")])).await;
        let url = pooler.url();
        let variables = [("DATABASE_URL", url.as_str())];
        let _processor = Process::start("event-processor", &bed, &variables);
        let _worker = Process::start("action-worker", &bed, &variables);
        Row::new("e").insert(&bed.pool).await.expect("inserted");
        eventually("it is delivered", async || receiver.messages().len() == 1).await;
        let (code, said) = agentauri(&bed, &["doctor"], &url).await;
        assert_eq!(code, Some(0), "{lines}: {said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pooler_in_transaction_mode_is_refused() {
    let bed = Bed::start_over_tcp().await;
    let created = sqlx::query("CREATE DATABASE fresh OWNER agentauri_owner");
    created.execute(&bed.superuser().await).await.expect("created");
    let pooler = Pooler::before(&bed.postgres, "pool_mode = transaction").await;
    let (code, said) = agentauri(&bed, &["migrate"], &pooler.url_of("fresh")).await;
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("DATABASE_URL: a pooler in transaction mode is in between"), "{said}");
    assert!(said.contains("let it pool in session mode"), "{said}");
    assert_eq!(relations(&bed, "fresh").await, 0);
    // As one in session mode does with what it does not know.
    let pooler = Pooler::before(&bed.postgres, "pool_mode = session").await;
    let url = format!("{}?options[geqo]=off", pooler.url());
    let (code, said) = agentauri(&bed, &["status"], &url).await;
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("leave options out of DATABASE_URL"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_hold_our_tables_is_refused_before_the_first() {
    let bed = Bed::start().await;
    let superuser = bed.superuser().await;
    let as_c = "LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0 OWNER agentauri_owner";
    let table = [
        (format!("ENCODING 'LATIN1' {as_c}"), "", "the database's encoding is LATIN1"),
        (format!("ENCODING 'SQL_ASCII' {as_c}"), "", "ENCODING 'UTF8' TEMPLATE template0"),
        ("OWNER agentauri_owner".to_owned(), "DROP SCHEMA public", "CREATE SCHEMA public"),
        (
            "OWNER agentauri_owner".to_owned(),
            "DROP SCHEMA public; CREATE SCHEMA app AUTHORIZATION agentauri_owner;
             ALTER ROLE agentauri_owner IN DATABASE unfit2 SET search_path = app",
            "has no schema public",
        ),
        ("OWNER postgres".to_owned(), "", "GRANT CREATE, USAGE ON SCHEMA public TO"),
    ];
    for (number, (made, then, expected)) in table.into_iter().enumerate() {
        let name = format!("unfit{number}");
        let create = AssertSqlSafe(format!("CREATE DATABASE {name} {made}"));
        sqlx::query(create).execute(&superuser).await.expect("created");
        let inside = superuser_in(&bed, &name).await;
        let then = AssertSqlSafe(then.replace("unfit2", &name));
        sqlx::raw_sql(then).execute(&inside).await.expect("changed");
        let before = count(&inside).await;
        for program in ["agentauri", "event-processor"] {
            let arguments: &[&str] = if program == "agentauri" { &["migrate"] } else { &[] };
            let url = bed.postgres.url_of(&name);
            let (code, said) = told(&bed, program, arguments, &url).await;
            assert_eq!(code, Some(2), "{name}: {said}");
            assert!(said.contains("DATABASE_URL: ") && said.contains(expected), "{name}: {said}");
        }
        assert_eq!(count(&inside).await, before, "{name}");
    }
}

/// Five tables were left half-way, and more of them later.
#[tokio::test(flavor = "multi_thread")]
async fn a_migration_that_fails_leaves_nothing_behind() {
    let bed = Bed::start().await;
    let superuser = bed.superuser().await;
    for (number, name) in ["jobs", "chain_heights", "events"].into_iter().enumerate() {
        let database = format!("half{number}");
        let create = format!("CREATE DATABASE {database} OWNER agentauri_owner");
        sqlx::query(AssertSqlSafe(create)).execute(&superuser).await.expect("created");
        let url = bed.postgres.url_of(&database);
        let owner = event_store::connect(&url, "test", 1).await.expect("a connection");
        // In the place of a table of ours.
        let view = format!("CREATE VIEW {name} AS SELECT 1 AS one");
        sqlx::query(AssertSqlSafe(view)).execute(&owner).await.expect("made");
        let (code, said) = agentauri(&bed, &["migrate"], &url).await;
        assert_eq!(code, Some(1), "{said}");
        let left: Vec<String> = sqlx::query_scalar(
            "SELECT relname::text FROM pg_class WHERE relnamespace = 'public'::regnamespace
             AND relkind IN ('r', 'v') AND relname <> '_sqlx_migrations'",
        )
        .fetch_all(&owner)
        .await
        .expect("names");
        assert_eq!(left, [name]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_of_ipv6_is_connected_to() {
    let bed = Bed::start_over_tcp().await;
    let mut url = Url::parse(&bed.postgres.url()).expect("a URL");
    let server = url.port().expect("by TCP");
    // Where the machine has no IPv6, nothing can listen there.
    let Ok(listener) = TcpListener::bind((Ipv6Addr::LOCALHOST, 0)) else { return };
    url.set_host(Some("[::1]")).expect("a host");
    url.set_port(Some(listener.local_addr().expect("bound").port())).expect("a port");
    std::thread::spawn(move || {
        for client in listener.incoming().flatten() {
            let server = TcpStream::connect((Ipv4Addr::LOCALHOST, server)).expect("the server");
            for (mut from, mut to) in [(&client, &server), (&server, &client)]
                .map(|(from, to)| (from.try_clone().expect("one"), to.try_clone().expect("one")))
            {
                std::thread::spawn(move || std::io::copy(&mut from, &mut to));
            }
        }
    });
    let (code, said) = agentauri(&bed, &["status"], url.as_str()).await;
    assert_eq!(code, Some(0), "{said}");
}

async fn relations(bed: &Bed, database: &str) -> i64 {
    count(&superuser_in(bed, database).await).await
}

async fn count(pool: &PgPool) -> i64 {
    sqlx::query_scalar(RELATIONS).fetch_one(pool).await.expect("a number")
}

async fn superuser_in(bed: &Bed, database: &str) -> PgPool {
    let mut url = Url::parse(&bed.postgres.superuser_url()).expect("a URL");
    url.set_path(database);
    PgPool::connect(url.as_str()).await.expect("a connection")
}

async fn agentauri(bed: &Bed, arguments: &[&str], url: &str) -> (Option<i32>, String) {
    told(bed, "agentauri", arguments, url).await
}

/// A program's exit code and all that it says.
async fn told(bed: &Bed, program: &str, arguments: &[&str], url: &str) -> (Option<i32>, String) {
    let mut command = Process::command(program, bed);
    command.args(arguments).env("DATABASE_URL", url).kill_on_drop(true);
    let output = command.output().await.expect("it runs");
    let said = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8_lossy(&said).into_owned())
}
