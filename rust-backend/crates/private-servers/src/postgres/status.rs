//! The status of a PostgreSQL server, from `postmaster.pid` in its data directory.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

/// The lines we read, counted from 0, as in PostgreSQL's `src/include/utils/pidfile.h`, which
/// `pg_ctl` uses too.
const LINE_PID: usize = 0;
const LINE_SHARED_MEMORY: usize = 6;
const LINE_STATUS: usize = 7;

/// True if the server with this process id accepts connections to `data`.
pub(crate) fn is_ready(data: &Path, pid: u32) -> bool {
    let text = text(data);
    let line = |number| text.lines().nth(number).map(str::trim);
    line(LINE_PID) == Some(pid.to_string().as_str()) && line(LINE_STATUS) == Some("ready")
}

/// Frees the shared memory (some bytes of System V's) of a server that was killed. The next server
/// on the same data would do that too, but a test's server has no successor.
pub(crate) fn free_shared_memory(data: &Path) {
    let text = text(data);
    let words = text.lines().nth(LINE_SHARED_MEMORY).unwrap_or_default();
    if let Some(id) = words.split_ascii_whitespace().nth(1) {
        // On failure some bytes stay until the machine restarts.
        let _ = Command::new("ipcrm")
            .args(["-m", id])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
    }
}

fn text(data: &Path) -> String {
    // Missing while the server starts.
    fs::read_to_string(data.join("postmaster.pid")).unwrap_or_default()
}
