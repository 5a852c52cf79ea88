//! A binary of ours, started as a user would start it and killed at a test's will.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::io::{AsyncBufReadExt as _, AsyncRead, BufReader};
use tokio::process::{Child, Command};

use crate::bed::Bed;

/// A running binary. Dropping it kills it.
pub struct Process {
    child: Child,
    lines: Arc<Mutex<Vec<String>>>,
}

impl Process {
    /// Starts `program` on the bed's servers, with loopback as a permitted destination.
    ///
    /// # Panics
    /// It does not start.
    pub fn start(program: &str, bed: &Bed, variables: &[(&str, &str)]) -> Self {
        let mut command = Self::command(program, bed);
        command.envs(variables.iter().copied());
        Self::spawn(command)
    }

    /// The command of a binary on the bed's servers.
    ///
    /// # Panics
    /// It is not built.
    pub fn command(program: &str, bed: &Bed) -> Command {
        let mut command = Command::new(binary(program));
        command
            .env_remove("RUST_LOG")
            .env("DATABASE_URL", bed.postgres.url())
            .env("REDIS_URL", bed.redis.url())
            .env("AGENTAURI_ALLOW_PRIVATE_DESTINATIONS", "127.0.0.1/32")
            .env("AGENTAURI_LISTEN", "off");
        command
    }

    /// The same command with limits on open files: the soft and the hard one.
    ///
    /// # Panics
    /// It is not built.
    pub fn limited(program: &str, bed: &Bed, (soft, hard): (u32, u32)) -> Command {
        let whole = Self::command(program, bed);
        let whole = whole.as_std();
        let mut command = Command::new("prlimit");
        command.arg(format!("--nofile={soft}:{hard}")).arg(whole.get_program());
        for (name, value) in whole.get_envs() {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        command
    }

    /// Starts a command and keeps its output.
    ///
    /// # Panics
    /// It does not start.
    pub fn spawn(mut command: Command) -> Self {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("the binary starts");
        let lines = Arc::default();
        keep(child.stdout.take().expect("piped"), Arc::clone(&lines));
        keep(child.stderr.take().expect("piped"), Arc::clone(&lines));
        Self { child, lines }
    }

    /// True if a line of its output contains `text`.
    pub fn said(&self, text: &str) -> bool {
        self.lines().iter().any(|line| line.contains(text))
    }

    /// The lines of its output so far.
    pub fn lines(&self) -> Vec<String> {
        self.lines.lock().clone()
    }

    /// Its process id.
    ///
    /// # Panics
    /// It has ended before.
    pub fn pid(&self) -> u32 {
        self.child.id().expect("still running")
    }

    /// Kills it with SIGKILL.
    ///
    /// # Panics
    /// It has ended before.
    pub async fn kill9(&mut self) {
        assert_eq!(self.child.try_wait().expect("a child"), None, "{:#?}", self.lines());
        self.child.kill().await.expect("killed");
    }

    /// Sends SIGTERM, SIGINT, SIGSTOP or SIGCONT.
    ///
    /// # Panics
    /// It has ended before.
    pub fn signal(&self, name: &str) {
        let pid = self.pid().to_string();
        let sent = std::process::Command::new("kill").args(["-s", name, &pid]).status();
        assert!(sent.expect("kill").success());
    }

    /// True if it has not ended; it may be stopped.
    ///
    /// # Panics
    /// The system does not say.
    pub fn is_running(&mut self) -> bool {
        self.child.try_wait().expect("a child").is_none()
    }

    /// Waits for its end and returns its exit code.
    ///
    /// # Panics
    /// A signal ended it.
    pub async fn ended(&mut self) -> i32 {
        let status = self.child.wait().await.expect("a child");
        status.code().expect("it ended by itself")
    }
}

fn keep(output: impl AsyncRead + Send + Unpin + 'static, lines: Arc<Mutex<Vec<String>>>) {
    tokio::spawn(async move {
        let mut reader = BufReader::new(output).lines();
        while let Ok(Some(line)) = reader.next_line().await {
            lines.lock().push(line);
        }
    });
}

/// The binary of that name, beside the test or the binary that runs.
///
/// # Panics
/// It is not built.
pub fn binary(program: &str) -> PathBuf {
    let own = std::env::current_exe().expect("one's own path");
    let folder = own.parent().expect("the folder of the build");
    // Test binaries lie one folder deeper.
    let folder = if folder.ends_with("deps") { folder.parent() } else { Some(folder) };
    let binary = folder.unwrap_or(Path::new("/")).join(program);
    let there = binary.exists();
    assert!(there, "{} is not built: cargo build --workspace --bins", binary.display());
    binary
}
