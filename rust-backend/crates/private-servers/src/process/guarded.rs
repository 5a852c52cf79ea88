//! A process that never outlives this one, however this one ends.
//!
//! Two small shells ensure that:
//!
//! - The **gate** is the server's process before it becomes the server: it waits for a line on its
//!   standard input first. If we die before that line, it reads the end of the input and exits.
//! - The **watchdog** knows the server's process id and waits on a pipe that only we hold. When we
//!   die, even by SIGKILL, the kernel closes the pipe and the watchdog ends the server.
//!
//! Both are in process groups of their own, so that Ctrl-C in a terminal or a signal to our group
//! does not reach them: servers end when we end them, after all their clients.

use std::fs::File;
use std::io::{self, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, waitid};

use crate::Error;
use crate::process::launch::Launch;
use crate::process::processes::{self, Ending, send};
use crate::process::wait;

const GATE: &str = r#"read -r go && exec "$@""#;

/// Arguments: process id, working directory, seconds for the polite signal, polite and firm signal,
/// seconds for the firm one, then the folders to remove. It does not wait until a dead process
/// (state Z) is reaped, which takes some inits seconds.
///
/// Of the processes that work in the directory, it ends only the server's children: the next server
/// on the same data may have started.
const WATCHDOG: &str = r#"
trap '' HUP INT TERM
read -r end
server=$1 data=$2 patience=$3 polite=$4 firm=$5 last=$6
shift 6
children() {
    for stat in /proc/[0-9]*/stat; do
        read -r line <"$stat" || continue
        set -- ${line##*)}
        [ "$2" != "$server" ] || echo "${line%% *}"
    done
}
lives() {
    read -r stat <"/proc/$server/stat" || return
    case ${stat##*)} in ' Z'*) false ;; esac
}
ended_within() {
    tenths=$(($1 * 10))
    while lives; do
        [ "$tenths" -gt 0 ] || return 1
        tenths=$((tenths - 1))
        sleep 0.1
    done
}
children=$(children)
kill -s "$polite" "$server"
ended_within "$patience" || { kill -s "$firm" "$server"; ended_within "$last"; } ||
    kill -s KILL "$server"
for child in $children; do
    [ ! "/proc/$child/cwd" -ef "$data" ] || kill -s KILL "$child"
done
for folder; do
    rm -rf -- "$folder"
    rmdir -- "${folder%/*}"
done
"#;

/// Time from the firm signal to SIGKILL. PostgreSQL gives its own processes 5 s, then kills them.
const FIRM_MAX: Duration = Duration::from_secs(8);

/// A running server. Dropping it ends it.
#[derive(Debug)]
pub(crate) struct Guarded {
    server: Child,
    watchdog: Child,
    /// The working directory of all its processes.
    data: PathBuf,
    ending: Ending,
    ended: bool,
}

impl Guarded {
    /// Starts a server with working directory `data`, output to `log`, and `input` on its standard
    /// input. If this process dies first, `removed` is removed after the server's end, and its
    /// parent folder if that is empty then.
    pub(crate) fn start(
        launch: &Launch,
        log: &File,
        input: &[u8],
        data: &Path,
        ending: Ending,
        removed: Option<&Path>,
    ) -> Result<Self, Error> {
        let shell = Path::new("/bin/sh");
        let mut gate = launch
            .command_through(&[shell.as_os_str(), "-c".as_ref(), GATE.as_ref(), "gate".as_ref()])
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(log.try_clone().map_err(Error::io(shell))?)
            .stderr(log.try_clone().map_err(Error::io(shell))?)
            .spawn()
            .map_err(Error::io(shell))?;
        let watchdog = match watchdog(gate.id(), data, ending, removed) {
            Ok(watchdog) => watchdog,
            Err(error) => {
                // Waiting closes its input, so it exits without becoming the server.
                let _ = gate.wait();
                return Err(Error::io(shell)(error));
            }
        };
        let mut guarded =
            Self { server: gate, watchdog, data: data.to_owned(), ending, ended: false };
        guarded.open_gate(input).map_err(Error::io(shell))?;
        Ok(guarded)
    }

    fn open_gate(&mut self, input: &[u8]) -> io::Result<()> {
        let mut gate = self.server.stdin.take().ok_or(io::ErrorKind::BrokenPipe)?;
        gate.write_all(b"go\n")?;
        gate.write_all(input)
    }

    /// The server's process id, valid until it is ended here: until then the system keeps its
    /// entry, also if it ends by itself.
    pub(crate) fn pid(&self) -> u32 {
        self.server.id()
    }

    /// True if it has ended, for any reason.
    pub(crate) fn has_ended(&self) -> bool {
        self.ended || is_dead(self.server.id())
    }

    /// Ends it: politely first, then firmly, then by SIGKILL. Skips the polite step if `politely`
    /// is false.
    ///
    /// The server's own processes may outlive it: PostgreSQL's do if they hang in the handler of
    /// SIGQUIT and it is killed before it kills them.
    pub(crate) fn end(&mut self, politely: bool) {
        let Ending { name, polite, patience, firm } = self.ending;
        let pid = self.server.id();
        let polite_step = politely.then_some((polite, patience));
        let steps = [(firm, FIRM_MAX), (Signal::KILL, FIRM_MAX)];
        for (signal, limit) in polite_step.into_iter().chain(steps) {
            if self.has_ended() {
                break;
            }
            send(pid, signal);
            wait::until(limit, || is_dead(pid));
        }
        processes::crash(&self.data, name);
        self.bury();
    }

    /// Ends the watchdog, then frees the server's process id: in this order, so that the watchdog
    /// never signals another process with a reused id.
    pub(crate) fn bury(&mut self) {
        if self.ended {
            return;
        }
        self.ended = true;
        for child in [&mut self.watchdog, &mut self.server] {
            // Killing fails only if it has ended; waiting for our own child never fails.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

impl Drop for Guarded {
    fn drop(&mut self) {
        self.end(true);
    }
}

fn watchdog(server: u32, data: &Path, ending: Ending, removed: Option<&Path>) -> io::Result<Child> {
    // A server whose folder is removed needs no orderly end.
    let (patience, polite) = match removed {
        Some(_) => (Duration::ZERO, ending.firm),
        None => (ending.patience, ending.polite),
    };
    Command::new("/bin/sh")
        .args(["-c", WATCHDOG, "watchdog"])
        .arg(server.to_string())
        .arg(data)
        .arg(patience.as_secs().to_string())
        .args([signal_name(polite), signal_name(ending.firm)])
        .arg(FIRM_MAX.as_secs().to_string())
        .args(removed)
        .current_dir("/")
        .process_group(0)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
}

fn signal_name(signal: Signal) -> &'static str {
    match signal {
        Signal::INT => "INT",
        Signal::QUIT => "QUIT",
        Signal::TERM => "TERM",
        _ => "KILL",
    }
}

/// Checks without reaping: the process id stays taken.
fn is_dead(pid: u32) -> bool {
    let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) else { return true };
    let look = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
    // An error means that it is no longer our child.
    waitid(WaitId::Pid(pid), look).map_or(true, |status| status.is_some())
}
