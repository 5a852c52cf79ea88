//! Data directories: made by initdb, or copied from a template.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::Error;
use crate::account::current_uid;
use crate::folder::{make_for, make_owned};
use crate::postgres::installation::Programs;
use crate::postgres::{DATABASE, OWNER, SUPERUSER};

/// The version of the layout, raised with any change below that shapes a cluster.
const LAYOUT: u32 = 3;

/// The file in a data directory that holds its layout's version, from the third on.
const LAYOUT_FILE: &str = "agentauri-layout";

/// Refuses a cluster that an earlier version made in `directory`: its database belongs to a
/// superuser and has a schema that is not migrated, and root's belongs to another account.
pub(crate) fn refuse_other_layouts(data: &Path, directory: &Path) -> Result<(), Error> {
    let layout = fs::read_to_string(data.join(LAYOUT_FILE)).unwrap_or_default();
    if major(data).is_none() || layout.trim() == LAYOUT.to_string() {
        return Ok(());
    }
    let reason = "holds a database of another version of this program, which is not carried over; \
                  move it away or remove it, and chains are indexed again from their start_block";
    Err(Error::unusable(directory, reason))
}

/// Makes the cluster at `data`, whose parent folder exists, unless there is one.
pub(crate) fn ensure(programs: &Programs, data: &Path, durable: bool) -> Result<(), Error> {
    if is_cluster(data) {
        return Ok(());
    }
    if data.exists() {
        // Not a half-made cluster: those are made elsewhere, then renamed.
        return Err(Error::unusable(data, "is no PostgreSQL data directory; remove it"));
    }
    let half = data.with_extension("half");
    remove(&half)?;
    if durable {
        make(programs, &half, &["--data-checksums", "--auth-host=scram-sha-256"])?;
    } else {
        copy(&template(programs)?, &half)?;
    }
    fs::rename(&half, data).map_err(Error::io(data))
}

/// The major version of the cluster at `data`, if there is one.
pub(crate) fn major(data: &Path) -> Option<u32> {
    fs::read_to_string(data.join("PG_VERSION")).ok()?.trim().parse().ok()
}

/// Runs statements, one per line, on a cluster without a running server.
pub(crate) fn run_single(programs: &Programs, data: &Path, sql: &str) -> Result<(), Error> {
    let folder = data.parent().unwrap_or(Path::new("/"));
    let mut launch = programs.launch("postgres", folder)?;
    launch.add("--single");
    launch.add("-D");
    launch.add(programs.inner(data)?);
    // Without this option it exits with 0 after a failed statement.
    for word in ["-c", "exit_on_error=on", "-c", "log_checkpoints=off", "postgres"] {
        launch.add(word);
    }
    launch.run("postgres --single", sql.as_bytes()).map(drop)
}

/// Copies a running cluster into the empty folder `data`, as a standby of it: the server that
/// listens on this port in this folder of sockets.
pub(crate) fn follow(
    programs: &Programs,
    (sockets, port): (&Path, u16),
    data: &Path,
) -> Result<(), Error> {
    let folder = data.parent().unwrap_or(Path::new("/"));
    let mut launch = programs.launch("pg_basebackup", folder)?;
    launch.add("--host");
    launch.add(programs.inner(sockets)?);
    launch.add(format!("--port={port}"));
    launch.add(format!("--username={SUPERUSER}"));
    for word in ["--write-recovery-conf", "--checkpoint=fast", "--no-sync", "--pgdata"] {
        launch.add(word);
    }
    launch.add(programs.inner(data)?);
    launch.run("pg_basebackup", b"").map(drop)
}

fn make(programs: &Programs, data: &Path, extra: &[&str]) -> Result<(), Error> {
    make_for(data, programs.account)?;
    let folder = data.parent().unwrap_or(Path::new("/"));
    let mut launch = programs.launch("initdb", folder)?;
    for word in ["--username", SUPERUSER, "--locale=C.UTF-8", "--encoding=UTF8"] {
        launch.add(word);
    }
    // The socket's folder is closed to all others; TCP requires a password.
    for word in ["--auth-local=trust", "--no-instructions"] {
        launch.add(word);
    }
    for word in extra {
        launch.add(word);
    }
    launch.add("-D");
    launch.add(programs.inner(data)?);
    launch.run("initdb", b"")?;
    run_single(programs, data, &owned_database(programs.has_timescaledb()))?;
    let layout = data.join(LAYOUT_FILE);
    fs::write(&layout, format!("{LAYOUT}\n")).map_err(Error::io(&layout))
}

/// Statements that need a superuser once, so that later work does not. Migration 20250123000000
/// has the same for databases where a superuser migrates.
fn owned_database(with_timescaledb: bool) -> String {
    let role = format!("CREATE ROLE {OWNER} LOGIN\nGRANT pg_read_all_stats TO {OWNER}\n");
    let always = format!("GRANT SET ON PARAMETER timescaledb.restoring TO {OWNER}\n");
    let database = format!("CREATE DATABASE {DATABASE} OWNER {OWNER}\n");
    [role, if with_timescaledb { always } else { String::new() }, database].concat()
}

/// The data directory that tests copy, made by the first of them.
fn template(programs: &Programs) -> Result<PathBuf, Error> {
    let owner = programs.account.map_or_else(current_uid, |account| account.uid);
    let base = programs.template_base()?.join(format!("agentauri-templates-{}", current_uid()));
    make_owned(&base, current_uid(), if programs.account.is_some() { 0o711 } else { 0o700 })?;
    let version = programs.version()?;
    let name = format!("postgres-{version}-user-{owner}-layout-{LAYOUT}");
    let finished = base.join(&name);
    if is_cluster(&finished) {
        return Ok(finished);
    }
    // A second process waits here, and finds the template made. The lock ends with its holder.
    let lock = base.join(format!("{name}.lock"));
    let lock_file = File::create(&lock).map_err(Error::io(&lock))?;
    lock_file.lock().map_err(Error::io(&lock))?;
    if is_cluster(&finished) {
        return Ok(finished);
    }
    tracing::debug!(template = %finished.display(), "making a template for test databases");
    let half = base.join(format!("{name}.half"));
    remove(&half)?;
    remove(&finished)?;
    // Small segments of the log, because each copy carries one; and md5, because a debug build on a
    // busy machine spends a second per connection on the 8,192 hashes of the alternative.
    make(programs, &half, &["--wal-segsize=1", "--no-sync", "--auth-host=md5"])?;
    fs::rename(&half, &finished).map_err(Error::io(&finished))?;
    Ok(finished)
}

fn copy(from: &Path, to: &Path) -> Result<(), Error> {
    let tool = Path::new("cp");
    let output = Command::new(tool)
        .args(["-a", "--reflink=auto", "--"])
        .args([from, to])
        .output()
        .map_err(Error::io(tool))?;
    if !output.status.success() {
        let log = String::from_utf8_lossy(&output.stderr).into_owned();
        return Err(Error::Failed { server: "cp", what: format!("{}", output.status), log });
    }
    Ok(())
}

/// True if `data` seems whole, by two of its files: some systems remove files from temporary
/// folders that were not used for days.
fn is_cluster(data: &Path) -> bool {
    major(data).is_some() && data.join("global/pg_control").exists()
}

fn remove(folder: &Path) -> Result<(), Error> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(Error::io(folder)(error)),
        _ => Ok(()),
    }
}
