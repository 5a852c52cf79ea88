//! The processes of a data directory, including processes that we did not start.
//!
//! PostgreSQL and Redis work in their data directory, so it is the working directory of each of
//! their processes. That identifies a server more surely than a process id in a file, which may be
//! stale and belong to another process by now.

use std::collections::HashSet;
use std::fs;
use std::path::Path;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use crate::process::wait;

/// Time for processes to vanish after SIGKILL, generous.
const VANISH_MAX: Duration = Duration::from_secs(5);

/// The way to end a kind of server.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ending {
    /// The name of its processes.
    pub(crate) name: &'static str,
    /// The signal for an orderly end.
    pub(crate) polite: Signal,
    /// Time for the orderly end.
    pub(crate) patience: Duration,
    /// The signal after that.
    pub(crate) firm: Signal,
}

/// Sends a signal. A process that has ended is no error.
pub(crate) fn send(pid: u32, signal: Signal) {
    if let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) {
        // The only other error is a missing permission: then it is not our server.
        let _ = kill_process(pid, signal);
    }
}

/// The living processes called `name` that work in `data`. Linux only (`/proc`).
fn working_in(data: &Path, name: &str) -> Vec<u32> {
    let Ok(data) = data.canonicalize() else { return Vec::new() };
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    entries
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter(|pid| fs::read_link(format!("/proc/{pid}/cwd")).is_ok_and(|cwd| cwd == data))
        .filter(|pid| Stat::of(*pid).is_some_and(|stat| stat.name == name && stat.state != 'Z'))
        .collect()
}

/// Kills the processes called `name` that work in `data` at once, as a crash of the machine would:
/// no process sees another one end.
pub(crate) fn crash(data: &Path, name: &str) {
    // Stopped first, so that they start no other process meanwhile.
    for pid in working_in(data, name) {
        send(pid, Signal::STOP);
    }
    wait::until(VANISH_MAX, || {
        let living = working_in(data, name);
        for pid in &living {
            send(*pid, Signal::KILL);
        }
        living.is_empty()
    });
}

/// Ends processes that a dead process of ours left in `data`, politely if that works. Returns true
/// if there were any.
pub(crate) fn end_leftovers(data: &Path, ending: Ending) -> bool {
    let name = ending.name;
    let living = working_in(data, name);
    if living.is_empty() {
        return false;
    }
    tracing::info!(data = %data.display(), "ending a leftover {name}");
    let known: HashSet<u32> = living.iter().copied().collect();
    // Only the topmost process gets the signal and ends its own children. Children without it have
    // nothing to wait for.
    let heads = living
        .iter()
        .filter(|pid| Stat::of(**pid).is_some_and(|stat| !known.contains(&stat.parent)));
    for (signal, patience) in [(ending.polite, ending.patience), (ending.firm, VANISH_MAX)] {
        heads.clone().for_each(|pid| send(*pid, signal));
        if wait::until(patience, || working_in(data, name).is_empty()) {
            return true;
        }
    }
    crash(data, name);
    true
}

/// Fields of `/proc/PID/stat`.
struct Stat {
    name: String,
    state: char,
    parent: u32,
}

impl Stat {
    fn of(pid: u32) -> Option<Self> {
        Self::parse(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
    }

    /// The name stands in parentheses and may contain parentheses itself.
    fn parse(text: &str) -> Option<Self> {
        let (head, tail) = text.rsplit_once(')')?;
        let (_, name) = head.split_once('(')?;
        let mut fields = tail.split_ascii_whitespace();
        let state = fields.next()?.chars().next()?;
        let parent = fields.next()?.parse().ok()?;
        Some(Self { name: name.to_owned(), state, parent })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_may_have_any_name() {
        let stat = Stat::parse("7 (a) (b c) S 5 7 7 0").expect("a process");
        assert_eq!((stat.name.as_str(), stat.state, stat.parent), ("a) (b c", 'S', 5));
    }

    #[test]
    fn a_folder_in_which_nobody_works_has_no_leftovers() {
        let folder = tempfile::tempdir().expect("a folder");
        let ending = Ending {
            name: "postgres",
            polite: Signal::INT,
            patience: Duration::from_secs(1),
            firm: Signal::QUIT,
        };
        assert!(!end_leftovers(folder.path(), ending));
    }
}
