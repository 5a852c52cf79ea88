//! The start of a server's program: its user, working directory, root and environment.

use std::ffi::{OsStr, OsString};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use crate::Error;
use crate::account::SystemAccount;
use crate::process::programs;

/// The PATH of servers.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// A program with its arguments, ready to be started.
#[derive(Clone, Debug)]
pub(crate) struct Launch {
    words: Vec<OsString>,
    account: Option<SystemAccount>,
    folder: PathBuf,
}

impl Launch {
    /// `program` (absolute) as `account`, or as ourselves; `folder` is its home and working
    /// directory.
    pub(crate) fn new(program: &Path, account: Option<SystemAccount>, folder: &Path) -> Self {
        Self { words: vec![program.into()], account, folder: folder.to_owned() }
    }

    /// `program` in the root `root`, as `account`. Only root may do that.
    pub(crate) fn in_root(
        root: &Path,
        program: &Path,
        account: SystemAccount,
        folder: &Path,
    ) -> Result<Self, Error> {
        let chroot = programs::find("chroot", "install coreutils")?;
        let mut launch = Self::new(&chroot, None, folder);
        let SystemAccount { uid, gid } = account;
        launch.add(format!("--userspec={uid}:{gid}"));
        launch.add("--groups=");
        launch.add(root);
        launch.add(program);
        Ok(launch)
    }

    pub(crate) fn add(&mut self, argument: impl AsRef<OsStr>) {
        self.words.push(argument.as_ref().to_owned());
    }

    /// The command, with `prefix` (a program and its arguments) before it.
    ///
    /// The environment is a fresh one: ours holds secrets, and settings like PGDATA.
    pub(crate) fn command_through(&self, prefix: &[&OsStr]) -> Command {
        let mut words = prefix.iter().copied().chain(self.words.iter().map(OsString::as_os_str));
        let mut command = Command::new(words.next().unwrap_or_default());
        command.args(words).current_dir(&self.folder).env_clear();
        command.env("PATH", PATH).env("HOME", &self.folder);
        command.env("LC_ALL", "C.UTF-8").env("TZ", "UTC");
        if let Some(SystemAccount { uid, gid }) = self.account {
            // As root, this also drops root's other groups.
            command.uid(uid).gid(gid);
        }
        command
    }

    /// Runs it to its end with `input`, and returns its output.
    ///
    /// `input` must fit into a pipe (64 KiB), because it is written before the output is read.
    pub(crate) fn run(&self, tool: &'static str, input: &[u8]) -> Result<Output, Error> {
        use std::io::Write;
        let name = Path::new(tool);
        let mut child = self
            .command_through(&[])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(Error::io(name))?;
        if let Some(mut stdin) = child.stdin.take() {
            // A tool that ends early gives its reason in its output.
            let _ = stdin.write_all(input);
        }
        let output = child.wait_with_output().map_err(Error::io(name))?;
        if output.status.success() {
            return Ok(output);
        }
        Err(Error::Failed {
            server: tool,
            what: format!("failed ({})", output.status),
            log: [output.stdout, output.stderr]
                .map(|bytes| String::from_utf8_lossy(&bytes).trim().to_owned())
                .join("\n"),
        })
    }
}
