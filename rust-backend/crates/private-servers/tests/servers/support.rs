//! What the tests of private servers share.

use std::path::Path;
use std::process::{Command, Output};
use std::thread;
use std::time::{Duration, Instant};

use private_servers::Postgres;

/// How long anything is waited for: generous, as it is only reached by a failure.
pub(crate) const PATIENCE: Duration = Duration::from_mins(2);

/// Runs one statement by psql through the server's URL and returns the bare answer.
pub(crate) fn query(postgres: &Postgres, sql: &str) -> String {
    answer(&postgres.url(), sql)
}

/// The same through any URL.
pub(crate) fn answer(url: &str, sql: &str) -> String {
    let output = psql_at(url, sql);
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{sql}: {error}");
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

/// Runs one statement by psql, whatever comes of it.
pub(crate) fn psql(postgres: &Postgres, sql: &str) -> Output {
    psql_at(&postgres.url(), sql)
}

fn psql_at(url: &str, sql: &str) -> Output {
    Command::new("psql")
        .args(["-XAtq", "-v", "ON_ERROR_STOP=1", "-c", sql, url])
        .output()
        .expect("psql is installed with PostgreSQL")
}

/// Whether a process is alive: there, and not only waiting to be collected.
pub(crate) fn is_alive(pid: u32) -> bool {
    std::fs::read_to_string(format!("/proc/{pid}/stat"))
        .is_ok_and(|stat| !stat.rsplit(')').next().unwrap_or_default().starts_with(" Z"))
}

pub(crate) fn children(pid: u32) -> Vec<u32> {
    let tasks = std::fs::read_dir(format!("/proc/{pid}/task")).expect("a process");
    tasks
        .filter_map(|task| std::fs::read_to_string(task.ok()?.path().join("children")).ok())
        .flat_map(|text| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
        .map(|pid| pid.parse().expect("a process id"))
        .collect()
}

pub(crate) fn signal(name: &str, pid: u32) {
    let status = Command::new("kill").args(["-s", name, &pid.to_string()]).status();
    assert!(status.expect("kill").success());
}

/// Waits until `answer` is true.
pub(crate) fn eventually(what: &str, mut answer: impl FnMut() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !answer() {
        assert!(Instant::now() < end, "not within {PATIENCE:?}: {what}");
        thread::sleep(Duration::from_millis(5));
    }
}

/// The last part of a path, for messages.
pub(crate) fn exists(path: &str) -> bool {
    Path::new(path).exists()
}
