//! What stays when the process that owns the servers is killed by SIGKILL: nothing.
//!
//! Each test runs this test binary again, in the role of the owner, and kills it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::support::{children, eventually, exists, is_alive, query, signal};
use private_servers::{Postgres, PostgresOptions, PrivateDirectory, Redis, RedisOptions};

/// Where the owner writes what it started; its presence is the role.
const REPORT: &str = "AGENTAURI_TEST_REPORT";

#[test]
fn servers_and_their_folders_go_with_a_killed_owner() {
    if let Some(report) = report() {
        let installation = private_servers::Installation::for_test().expect("an installation");
        let directory = installation.temporary_directory().expect("a folder");
        let options = PostgresOptions { installation, ..PostgresOptions::fast(directory.clone()) };
        let postgres = Postgres::start(options).expect("a server");
        let redis = Redis::start(RedisOptions { directory: directory.clone(), ..redis_options() });
        let redis = redis.expect("a server");
        write_report(&report, directory.path(), &[postgres.pid(), redis.pid()]);
        stay();
    }
    let (owner, _parent, folder, pids) = owner("servers_and_their_folders_go_with_a_killed_owner");
    kill(owner);
    eventually("the servers are gone", || !pids.iter().any(|pid| is_alive(*pid)));
    eventually("the folder is gone", || !exists(&folder));
}

#[test]
fn a_killed_owner_of_lasting_data_has_a_successor() {
    if let Some(report) = report() {
        let path = std::env::var_os("AGENTAURI_TEST_FOLDER").expect("a folder");
        let (postgres, redis) = lasting(Path::new(&path));
        query(&postgres, "CREATE TABLE kept AS SELECT 1 AS one");
        write_report(&report, Path::new(&path), &[postgres.pid(), redis.pid()]);
        stay();
    }
    let (owner, _parent, folder, pids) = owner("a_killed_owner_of_lasting_data_has_a_successor");
    kill(owner);
    // At once: the dead owner's servers may still be there, ended by its watchdogs or by us.
    let (postgres, redis) = lasting(Path::new(&folder));
    assert_eq!(query(&postgres, "SELECT one FROM kept"), "1");
    assert!(!pids.iter().any(|pid| is_alive(*pid)));
    let successors = [postgres.pid().expect("running"), redis.pid().expect("running")];
    assert!(successors.iter().all(|pid| is_alive(*pid)));
}

#[test]
fn a_server_without_a_watchdog_ends_when_its_data_is_reused() {
    if let Some(report) = report() {
        let path = std::env::var_os("AGENTAURI_TEST_FOLDER").expect("a folder");
        let (postgres, redis) = lasting(Path::new(&path));
        write_report(&report, Path::new(&path), &[postgres.pid(), redis.pid()]);
        stay();
    }
    let (owner, _parent, folder, pids) =
        owner("a_server_without_a_watchdog_ends_when_its_data_is_reused");
    for watchdog in children(owner.id()).into_iter().filter(|child| !pids.contains(child)) {
        signal("KILL", watchdog);
    }
    kill(owner);
    assert!(pids.iter().all(|pid| is_alive(*pid)), "nobody was left to end them");

    let (postgres, _redis) = lasting(Path::new(&folder));
    assert_eq!(query(&postgres, "SELECT 1"), "1");
    assert!(!pids.iter().any(|pid| is_alive(*pid)));
}

#[test]
fn a_killed_owners_server_that_hangs_goes_with_its_processes() {
    if let Some(report) = report() {
        let postgres = Postgres::for_test().expect("a server");
        write_report(&report, postgres.socket_dir(), &[postgres.pid()]);
        stay();
    }
    let (owner, _parent, folder, pids) =
        owner("a_killed_owners_server_that_hangs_goes_with_its_processes");
    let processes: Vec<u32> = pids.iter().copied().chain(children(pids[0])).collect();
    for pid in &processes {
        signal("STOP", *pid);
    }
    kill(owner);
    // Linux continues what an owner's end leaves without a terminal.
    signal("STOP", pids[0]);
    eventually("all of it is gone", || !processes.iter().any(|pid| is_alive(*pid)));
    eventually("the folder is gone", || !exists(&folder));
}

#[test]
fn an_interrupt_of_the_terminal_does_not_reach_the_servers() {
    if let Some(report) = report() {
        let postgres = Postgres::for_test().expect("a server");
        let redis = Redis::for_test().expect("a server");
        write_report(&report, postgres.socket_dir(), &[postgres.pid(), redis.pid()]);
        stay();
    }
    let (owner, _parent, _, pids) =
        owner("an_interrupt_of_the_terminal_does_not_reach_the_servers");
    let group = |pid: u32| {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).expect("a process");
        let after_name = stat.rsplit(')').next().unwrap_or_default().to_owned();
        after_name.split_whitespace().nth(2).unwrap_or_default().to_owned()
    };
    assert!(pids.iter().all(|pid| group(*pid) != group(owner.id())));
    kill(owner);
}

fn lasting(path: &Path) -> (Postgres, Redis) {
    let directory = PrivateDirectory::at(path).expect("ours alone");
    let postgres = Postgres::start(PostgresOptions::fast(directory.clone())).expect("a server");
    let redis = Redis::start(RedisOptions { directory, ..redis_options() }).expect("a server");
    (postgres, redis)
}

fn redis_options() -> RedisOptions {
    let directory = PrivateDirectory::temporary().expect("a folder");
    RedisOptions { directory, durable: false, tcp: false }
}

fn report() -> Option<PathBuf> {
    std::env::var_os(REPORT).map(PathBuf::from)
}

fn write_report(report: &Path, folder: &Path, pids: &[Option<u32>]) {
    let mut lines = vec![folder.display().to_string()];
    lines.extend(pids.iter().map(|pid| pid.expect("running").to_string()));
    fs::write(report.with_extension("half"), lines.join("\n")).expect("written");
    fs::rename(report.with_extension("half"), report).expect("renamed");
}

/// Stays until it is killed, or until the test that started it is gone.
fn stay() -> ! {
    let _ = std::io::read_to_string(std::io::stdin());
    std::process::exit(1)
}

/// Runs `test` of this binary as an owner and returns it with its folder and its servers.
/// The directory holds the folder: keep it until the end.
fn owner(test: &str) -> (Child, PrivateDirectory, String, Vec<u32>) {
    let parent = PrivateDirectory::temporary().expect("a folder");
    let report = parent.path().join("report");
    let mut owner = Command::new(std::env::current_exe().expect("this binary"))
        .args(["--exact", &format!("sudden_death::{test}"), "--nocapture"])
        .env(REPORT, &report)
        .env("AGENTAURI_TEST_FOLDER", parent.path().join("lasting"))
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .expect("started");
    eventually("the owner's report", || {
        let ended = owner.try_wait().expect("our child");
        assert!(ended.is_none(), "the owner ended: {ended:?}");
        report.exists()
    });
    let reported = fs::read_to_string(&report).expect("a report");
    let mut lines = reported.lines();
    let folder = lines.next().expect("a folder").to_owned();
    let pids: Vec<u32> = lines.map(|line| line.parse().expect("a process id")).collect();
    assert!(pids.iter().all(|pid| is_alive(*pid)));
    (owner, parent, folder, pids)
}

fn kill(mut owner: Child) {
    owner.kill().expect("killed");
    owner.wait().expect("collected");
}
