//! A private PostgreSQL, asked by psql.

use std::os::unix::fs::PermissionsExt;
use std::process::Command;
use std::thread;

use crate::support::{answer, children, is_alive, psql, query, signal};
use private_servers::{Installation, Postgres, PostgresOptions, PrivateDirectory};

#[test]
fn a_test_gets_a_database_of_its_own_and_leaves_nothing() {
    let postgres = Postgres::for_test().expect("a server");
    assert_eq!(query(&postgres, "SELECT current_database()"), "agentauri_backend");
    assert_eq!(query(&postgres, "SHOW server_encoding"), "UTF8");
    assert_eq!(query(&postgres, "SHOW listen_addresses"), "");
    let (pid, sockets) = (postgres.pid().expect("running"), postgres.socket_dir().to_owned());

    drop(postgres);
    assert!(!is_alive(pid));
    assert!(!sockets.exists());
}

#[test]
fn a_server_that_hangs_is_ended_with_all_its_processes() {
    let postgres = Postgres::for_test().expect("a server");
    let pid = postgres.pid().expect("running");
    let processes: Vec<u32> = children(pid).into_iter().chain([pid]).collect();
    assert!(processes.len() > 1, "{processes:?}");
    for pid in &processes {
        signal("STOP", *pid);
    }

    drop(postgres);
    assert_eq!(processes.into_iter().find(|pid| is_alive(*pid)), None);
}

#[test]
fn two_servers_at_once_know_nothing_of_each_other() {
    let start = || Postgres::for_test().expect("a server");
    let (one, other) = thread::scope(|scope| {
        let one = scope.spawn(start);
        let other = scope.spawn(start);
        (one.join().expect("started"), other.join().expect("started"))
    });
    query(&one, "CREATE TABLE mine ()");
    assert_eq!(query(&other, "SELECT count(*) FROM pg_class WHERE relname = 'mine'"), "0");
}

#[test]
fn nobody_else_can_reach_the_socket() {
    let postgres = Postgres::for_test().expect("a server");
    let sockets = postgres.socket_dir().metadata().expect("a folder");
    assert_eq!(sockets.permissions().mode() & 0o777, 0o700);
}

#[test]
fn a_tests_role_owns_the_database_and_is_no_superuser() {
    let postgres = Postgres::for_test().expect("a server");
    let role = "SELECT concat_ws(' ', current_user, datdba::regrole, rolsuper, rolcreaterole,
                    rolcreatedb, rolreplication, rolbypassrls)
                FROM pg_database, pg_roles
                WHERE datname = current_database() AND rolname = session_user";
    assert_eq!(query(&postgres, role), "agentauri_owner agentauri_owner f f f f f");
    // What judging's delay is explained by, and what a superuser is needed for elsewhere.
    assert_eq!(query(&postgres, "SELECT pg_has_role('pg_read_all_stats', 'USAGE')"), "t");
    for forbidden in [
        "CREATE ROLE another",
        "ALTER ROLE agentauri_owner SUPERUSER",
        "SET ROLE postgres",
        "SET SESSION AUTHORIZATION postgres",
        "COPY (SELECT 1) TO PROGRAM 'true'",
        "SELECT pg_read_file('PG_VERSION')",
        "CREATE EXTENSION dblink",
        "SET session_replication_role = replica",
        "ALTER SYSTEM SET work_mem = '1MB'",
        "GRANT pg_execute_server_program TO agentauri_owner",
    ] {
        assert!(!psql(&postgres, forbidden).status.success(), "{forbidden}");
    }
}

#[test]
fn a_superuser_is_there_for_whoever_asks_for_it_by_name() {
    let postgres = Postgres::for_test().expect("a server");
    let superuser = "SELECT rolsuper FROM pg_roles WHERE rolname = session_user";
    assert_eq!(answer(&postgres.superuser_url(), superuser), "t");
}

#[test]
fn what_an_earlier_version_made_is_refused_with_what_to_do() {
    let parent = PrivateDirectory::temporary().expect("a folder");
    let directory = || PrivateDirectory::at(&parent.path().join("kept")).expect("ours");
    let start = || Postgres::start(PostgresOptions::fast(directory()));
    let data = start().expect("a server").socket_dir().with_file_name("data");
    drop(start().expect("again"));
    for other in [Some("2\n"), Some(""), None] {
        let layout = data.join("agentauri-layout");
        match other {
            Some(text) => std::fs::write(layout, text).expect("written"),
            None => std::fs::remove_file(layout).expect("removed"),
        }
        let error = start().expect_err("refused").to_string();
        let expected = "kept: holds a database of another version of this program, which is not \
                        carried over; move it away or remove it, and chains are indexed again \
                        from their start_block";
        assert!(error.ends_with(expected), "{other:?}: {error}");
    }
}

#[test]
fn psql_finds_it_by_its_environment() {
    let postgres = Postgres::for_test().expect("a server");
    let output = Command::new("psql")
        .args(["-XAtqc", "SELECT current_user"])
        .envs(postgres.psql_env())
        .output()
        .expect("psql");
    assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), "agentauri_owner");
}

#[test]
fn what_was_committed_survives_kill_9_and_a_restart() {
    let mut postgres = Postgres::for_test().expect("a server");
    let (url, pid) = (postgres.url(), postgres.pid().expect("running"));
    query(&postgres, "CREATE TABLE kept AS SELECT 1 AS one");

    postgres.kill9();
    assert_eq!(postgres.pid(), None);
    assert!(!is_alive(pid));
    assert!(!psql(&postgres, "SELECT 1").status.success());

    postgres.restart().expect("started again");
    assert_eq!(postgres.url(), url);
    assert_eq!(query(&postgres, "SELECT one FROM kept"), "1");
    postgres.restart().expect("started a third time");
    assert_eq!(query(&postgres, "SELECT one FROM kept"), "1");
}

#[test]
fn a_killed_server_leaves_no_shared_memory() {
    let mut postgres = Postgres::for_test().expect("a server");
    let pid_file = postgres.socket_dir().with_file_name("data").join("postmaster.pid");
    let text = std::fs::read_to_string(pid_file).expect("a running server's file");
    let id = text.lines().nth(6).and_then(|line| line.split_whitespace().nth(1));
    let id = id.expect("its shared memory").to_owned();
    assert!(shared_memory_ids().contains(&id));

    postgres.kill9();
    assert!(!shared_memory_ids().contains(&id));
}

#[test]
fn the_embedded_default_keeps_its_data_and_its_log() {
    let parent = PrivateDirectory::temporary().expect("a folder");
    let directory = || PrivateDirectory::at(&parent.path().join("kept")).expect("ours");
    let postgres = Postgres::start(PostgresOptions::durable(directory())).expect("a server");
    assert_eq!(query(&postgres, "SHOW fsync"), "on");
    query(&postgres, "CREATE TABLE kept AS SELECT 1 AS one");
    let (log, pid) = (postgres.log_path().to_owned(), postgres.pid().expect("running"));
    postgres.stop();
    assert!(!is_alive(pid));
    let text = std::fs::read_to_string(log).expect("a log");
    assert!(text.contains("database system is shut down"), "{text}");

    let postgres = Postgres::start(PostgresOptions::durable(directory())).expect("a server");
    assert_eq!(query(&postgres, "SELECT one FROM kept"), "1");
}

#[test]
fn through_tcp_a_password_is_asked_for() {
    let directory = PrivateDirectory::temporary().expect("a folder");
    let options = PostgresOptions { tcp: true, ..PostgresOptions::fast(directory) };
    let mut postgres = Postgres::start(options).expect("a server");
    assert!(postgres.url().contains("@127.0.0.1:"));
    assert_eq!(query(&postgres, "SELECT inet_server_addr()"), "127.0.0.1");

    let (_, address) = postgres.url().rsplit_once('@').map(owned).expect("an address");
    // The superuser's is another: the owner's does for it as little as a guess.
    let (start, _) = postgres.url().rsplit_once('@').map(owned).expect("a password");
    let (_, password) = start.rsplit_once(':').map(owned).expect("a password");
    for role in ["postgres:guess", "agentauri_owner:guess", &format!("postgres:{password}")] {
        let stranger = format!("postgres://{role}@{address}");
        let output = Command::new("psql").args(["-XAtqc", "SELECT 1", &stranger]).output();
        assert!(!output.expect("psql").status.success(), "{role}");
    }
    assert_eq!(answer(&postgres.superuser_url(), "SELECT 1"), "1");

    let url = postgres.url();
    postgres.restart().expect("started again");
    assert_eq!((postgres.url(), query(&postgres, "SELECT 1")), (url, "1".to_owned()));
}

#[test]
fn a_server_that_cannot_start_says_why() {
    let installation = Installation::for_test().expect("an installation");
    let directory = installation.temporary_directory().expect("a folder");
    let options = PostgresOptions { installation, ..PostgresOptions::fast(directory) };
    let error = Postgres::start(options.setting("no_such_setting", "on")).expect_err("refused");
    let text = error.to_string();
    assert!(text.starts_with("PostgreSQL did not start; the end of its log:\n"), "{text}");
    assert!(text.contains("no_such_setting"), "{text}");
}

#[test]
fn a_folder_with_a_space_and_a_quote_works_too() {
    let parent = PrivateDirectory::temporary().expect("a folder");
    let directory = PrivateDirectory::at(&parent.path().join("a \"b\" 'c' %")).expect("ours");
    let postgres = Postgres::start(PostgresOptions::fast(directory)).expect("a server");
    assert_eq!(query(&postgres, "SELECT 1"), "1");
}

#[test]
fn timescaledb_is_there_when_it_is_asked_for() {
    let postgres = Postgres::for_test().expect("a server");
    let sql = "SELECT count(*) FROM pg_available_extensions WHERE name = 'timescaledb'";
    let installed = query(&postgres, sql) == "1";
    if postgres.has_timescaledb() {
        assert!(installed);
        query(&postgres, "CREATE EXTENSION timescaledb");
        query(&postgres, "CREATE TABLE t (at BIGINT NOT NULL)");
        query(&postgres, "SELECT create_hypertable('t', by_range('at', 604800))");
        query(&postgres, "INSERT INTO t VALUES (1), (604801)");
        assert_eq!(query(&postgres, "SELECT count(*) FROM show_chunks('t')"), "2");
    }
}

fn shared_memory_ids() -> Vec<String> {
    let table = std::fs::read_to_string("/proc/sysvipc/shm").expect("Linux");
    let ids = table.lines().filter_map(|line| line.split_whitespace().nth(1));
    ids.map(str::to_owned).collect()
}

fn owned((one, other): (&str, &str)) -> (String, String) {
    (one.to_owned(), other.to_owned())
}
