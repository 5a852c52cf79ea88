//! Whom root's servers run as, and who else can reach them: nobody.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use crate::support::query;
use private_servers::{Anvil, AnvilOptions, Postgres, PrivateDirectory, Redis, RedisOptions};

/// Whom such servers ran as before, and any other.
const STRANGERS: [&str; 3] = ["postgres", "nobody", "daemon"];

#[test]
fn roots_servers_run_as_an_account_that_nothing_else_has() {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let own = uid("agentauri-servers").expect("the account that scripts/setup.sh makes");
    let (postgres, redis, anvil) = servers();
    for (server, pid) in
        [("postgres", postgres.pid()), ("redis", redis.pid()), ("anvil", anvil.pid())]
    {
        let process = format!("/proc/{}", pid.expect("running"));
        let status = fs::read_to_string(format!("{process}/status")).expect("a process");
        // Real, effective, saved and of the file system: a way back to root would be one of them.
        let users: BTreeSet<u32> = ids(&status, "Uid:").collect();
        assert_eq!(users, BTreeSet::from([own]), "{server}");
        // Its group has the same number: `scripts/setup.sh` makes them so.
        let groups: BTreeSet<u32> = ids(&status, "Gid:").chain(ids(&status, "Groups:")).collect();
        assert_eq!(groups, BTreeSet::from([own]), "{server}");
        let shared = fs::read_to_string("/etc/passwd").expect("accounts");
        assert_eq!(shared.lines().filter(|line| has_uid(line, own)).count(), 1, "{server}");
    }
}

#[test]
fn another_account_reaches_neither_sockets_nor_data() {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let (postgres, redis, anvil) = servers();
    assert_eq!(query(&postgres, "SELECT 1"), "1");
    let sockets = postgres.socket_dir().to_owned();
    let version = sockets.with_file_name("data").join("PG_VERSION");
    let redis_folder = redis.log_path().with_file_name("data");
    let anvil_home = anvil.log_path().with_file_name("home");
    for stranger in STRANGERS.into_iter().filter_map(uid) {
        for (program, arguments) in [
            ("psql", vec!["-XAtqc", "SELECT 1", &postgres.url()]),
            ("psql", vec!["-XAtqc", "SELECT 1", &postgres.superuser_url()]),
            ("cat", vec![text(&version)]),
            ("ls", vec![text(&sockets)]),
            ("ls", vec![text(&redis_folder)]),
            ("ls", vec![text(&anvil_home)]),
        ] {
            let output = run_as(stranger, program, &arguments);
            assert!(!output.status.success(), "{stranger}: {program} {arguments:?}");
            let error = String::from_utf8_lossy(&output.stderr).into_owned();
            assert!(error.contains("ermission denied"), "{stranger}: {program}: {error}");
        }
    }
    // What is refused to strangers is there: their errors are not those of a wrong path.
    let own = uid("agentauri-servers").expect("the account");
    for path in [&version, &redis_folder, &anvil_home] {
        assert!(run_as(own, "ls", &[text(path)]).status.success(), "{}", path.display());
    }
}

fn servers() -> (Postgres, Redis, Anvil) {
    let directory = || PrivateDirectory::temporary().expect("a folder");
    let redis = RedisOptions { directory: directory(), durable: true, tcp: false };
    (
        Postgres::for_test().expect("a PostgreSQL"),
        Redis::start(redis).expect("a Redis"),
        Anvil::start(AnvilOptions::new(directory())).expect("an anvil"),
    )
}

fn run_as(user: u32, program: &str, arguments: &[&str]) -> Output {
    Command::new("setpriv")
        .arg(format!("--reuid={user}"))
        .arg(format!("--regid={user}"))
        .args(["--clear-groups", "--", program])
        .args(arguments)
        .current_dir("/")
        .output()
        .expect("setpriv")
}

fn text(path: &Path) -> &str {
    path.to_str().expect("text")
}

fn ids<'a>(status: &'a str, field: &str) -> impl Iterator<Item = u32> + use<'a> {
    let line = status.lines().find_map(|line| line.strip_prefix(field)).unwrap_or_default();
    line.split_whitespace().map(|id| id.parse().expect("a number"))
}

fn uid(name: &str) -> Option<u32> {
    let passwd = fs::read_to_string("/etc/passwd").expect("accounts");
    let line = passwd.lines().find(|line| line.split(':').next() == Some(name))?;
    line.split(':').nth(2)?.parse().ok()
}

fn has_uid(line: &str, uid: u32) -> bool {
    line.split(':').nth(2) == Some(uid.to_string().as_str())
}
