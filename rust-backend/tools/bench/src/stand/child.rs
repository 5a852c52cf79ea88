//! A binary of ours beside the running one, started as a user would start it.

use std::fs::File;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use rustix::process::{Pid, Signal, kill_process};
use service::process::Refused;
use tokio::process::Command;

use super::servers::Servers;

/// Lines of its log that an error shows.
const LAST_LINES: usize = 5;
const LOOK: Duration = Duration::from_millis(5);

/// A process under test. Dropping it kills it.
pub(crate) struct Child {
    program: &'static str,
    process: tokio::process::Child,
    log: PathBuf,
}

impl Child {
    /// Starts it on these servers, with its log in a file, like a service.
    pub(crate) fn start(
        program: &'static str,
        arguments: &[&str],
        servers: &Servers,
    ) -> Result<Self> {
        let mut command = Command::new(binary(program)?);
        // Away from any configuration in the present working directory.
        command.args(arguments).current_dir(servers.folder()).env_remove("AGENTAURI_CONFIG");
        Self::run(program, command, servers)
    }

    /// Runs a command on these servers.
    pub(super) fn run(
        program: &'static str,
        mut command: Command,
        servers: &Servers,
    ) -> Result<Self> {
        let log = servers.folder().join(format!("{program}-{:08x}.log", rand::random::<u32>()));
        let output = File::create(&log).with_context(|| log.display().to_string())?;
        let process = command
            .env_remove("RUST_LOG")
            .env("DATABASE_URL", servers.database_url())
            .env("REDIS_URL", servers.redis_url())
            .env("AGENTAURI_LISTEN", "off")
            .env("AGENTAURI_ALLOW_PRIVATE_DESTINATIONS", "127.0.0.1/32")
            // In a process group of its own: a terminal's Ctrl-C reaches only us, and we end it.
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output)
            .kill_on_drop(true)
            .spawn()
            .with_context(|| program.to_owned())?;
        Ok(Self { program, process, log })
    }

    /// Waits for a line with `text` in its log.
    pub(crate) async fn said(&mut self, text: &str, longest: Duration) -> Result<()> {
        let began = Instant::now();
        while !std::fs::read_to_string(&self.log)?.contains(text) {
            if let Some(status) = self.process.try_wait()? {
                bail!("{} ended with {status}{}", self.program, self.last_words());
            }
            if began.elapsed() > longest {
                bail!("{} did not say {text:?}{}", self.program, self.last_words());
            }
            tokio::time::sleep(LOOK).await;
        }
        Ok(())
    }

    /// The rest of the line in its log that begins with `text`.
    pub(crate) fn line_after(&self, text: &str) -> Option<String> {
        let log = std::fs::read_to_string(&self.log).ok()?;
        log.lines().find_map(|line| line.strip_prefix(text)).map(str::to_owned)
    }

    /// The whole of its log.
    pub(crate) fn output(&self) -> Result<String> {
        std::fs::read_to_string(&self.log).with_context(|| self.log.display().to_string())
    }

    /// True if it has not ended.
    pub(crate) fn is_running(&mut self) -> Result<bool> {
        Ok(self.process.try_wait()?.is_none())
    }

    pub(crate) fn role(&self) -> &'static str {
        match self.program {
            "action-worker" => "worker",
            "agentauri" => "run",
            other => other,
        }
    }

    /// `None` once its end was noticed.
    pub(crate) fn pid(&self) -> Option<u32> {
        self.process.id()
    }

    /// Sends it a signal.
    pub(crate) fn signal(&self, signal: Signal) -> Result<()> {
        let pid = self.process.id().and_then(|pid| Pid::from_raw(pid.try_into().ok()?));
        kill_process(pid.context("it has ended")?, signal).context(self.program)
    }

    /// The end of its log, in parentheses.
    pub(crate) fn last_words(&self) -> String {
        let text = std::fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        let last = lines[lines.len().saturating_sub(LAST_LINES)..].join(" | ");
        format!(" (the log of {} ends: {last})", self.program)
    }
}

fn binary(program: &str) -> Result<PathBuf> {
    let ours = std::env::current_exe().context("the path of this program")?;
    let folder = ours.parent().context("the folder of this program")?;
    // Test binaries lie one folder deeper.
    let binary = match folder.parent() {
        Some(above) if folder.ends_with("deps") => above.join(program),
        _ => folder.join(program),
    };
    if binary.exists() {
        return Ok(binary);
    }
    let why = format!("{} is missing: cargo build --release --bins", binary.display());
    Err(Refused::new(why).into())
}
