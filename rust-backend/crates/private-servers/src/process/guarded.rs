//! A process that never outlives this one, however this one ends.
//!
//! Two small shells see to that:
//!
//! - The **gate** is what the server begins as. It waits for a line on its standard input, then
//!   becomes the server. If we die before that line, it reads the end of the input and goes.
//! - The **watchdog** knows the server's process id and waits on a pipe that only we hold. When we
//!   die, even by SIGKILL, the kernel closes the pipe; the watchdog ends the server.
//!
//! Both live in process groups of their own, so that Ctrl-C in a terminal or a signal to our group
//! does not reach them: servers end when we end them, after all who use them.

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

/// Arguments: process id, working directory, seconds of patience, polite and firm signal, seconds
/// of patience after that one, then the folders to remove. Some inits take seconds to collect a
/// dead process (state Z), so it is not waited for.
///
/// Of the processes that work there, it ends the server's children alone: the next server on the
/// same data may be there already.
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

/// How long after the firm signal SIGKILL follows. PostgreSQL gives its own processes 5 s, then
/// kills them.
const FIRM_MAX: Duration = Duration::from_secs(8);

/// A running server. Dropping it ends it.
#[derive(Debug)]
pub(crate) struct Guarded {
    server: Child,
    watchdog: Child,
    /// Where it works, with all its processes.
    data: PathBuf,
    ending: Ending,
    ended: bool,
}

impl Guarded {
    /// Starts a server that is to work in `data`, whose output goes to `log`, with `input` on its
    /// standard input. If this process dies first, `removed` is removed after the server's end, and
    /// the folder above if that leaves it empty.
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
                // Waiting closes its input: it has not become the server and goes.
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

    /// The server's process id, valid until it is ended here: until then its entry in the
    /// system's table is kept, also when it ends by itself.
    pub(crate) fn pid(&self) -> u32 {
        self.server.id()
    }

    /// Whether it ended, by itself or not.
    pub(crate) fn has_ended(&self) -> bool {
        self.ended || is_dead(self.server.id())
    }

    /// Ends it: politely first, then firmly, then by SIGKILL. At once when `politely` is false.
    ///
    /// A process of its own may outlive it: PostgreSQL's do when they hang in the handler of
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

    /// Gives up the watchdog, then the server's process id: in this order, so that the watchdog
    /// can never mean somebody else by it.
    pub(crate) fn bury(&mut self) {
        if self.ended {
            return;
        }
        self.ended = true;
        for child in [&mut self.watchdog, &mut self.server] {
            // Killing fails only for what has ended, waiting never for our own child.
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
    // A server whose folder goes anyway has nothing to tidy up.
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

/// Looks without collecting: the process id stays taken.
fn is_dead(pid: u32) -> bool {
    let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) else { return true };
    let look = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
    // An error means that it is not our child any more.
    waitid(WaitId::Pid(pid), look).map_or(true, |status| status.is_some())
}
