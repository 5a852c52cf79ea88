//! The real binaries, connected through the proxies.

use std::path::Path;

use anyhow::{Result, ensure};
use testbed::{Bed, Process};
use tokio::process::Command;
use url::Url;

use crate::proxy::Proxy;

/// Pauses between attempts: short, so that attempts that a fault fails are repeated within the
/// trial.
const RETRY_SCHEDULE: &str = "0s,500ms,1s,1s,2s,2s,5s,5s,5s,5s,5s,5s";

/// A program of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Program {
    /// `event-processor`.
    Processor,
    /// `action-worker`.
    Worker,
    /// `agentauri run`: both in one process.
    Run,
}

impl Program {
    fn binary(self) -> &'static str {
        match self {
            Self::Processor => "event-processor",
            Self::Worker => "action-worker",
            Self::Run => "agentauri",
        }
    }
}

/// Processes of ours, all of which should run.
#[derive(Default)]
pub struct Fleet {
    members: Vec<(Program, Process)>,
    variables: Vec<(&'static str, String)>,
}

impl Fleet {
    /// A fleet without a member, on a bed's servers behind their proxies.
    ///
    /// # Errors
    /// A server has no port.
    pub fn new(bed: &Bed, postgres: &Proxy, redis: &Proxy) -> Result<Self> {
        let variables = vec![
            ("DATABASE_URL", through(postgres, &bed.postgres.url())?),
            ("REDIS_URL", through(redis, &bed.redis.url())?),
            ("AGENTAURI_RETRY_SCHEDULE", RETRY_SCHEDULE.to_owned()),
        ];
        Ok(Self { members: Vec::new(), variables })
    }

    /// Starts another process.
    pub fn start(&mut self, bed: &Bed, program: Program) {
        let mut command = Process::command(program.binary(), bed);
        command.envs(self.variables.iter().map(|(name, value)| (name, value)));
        if program == Program::Run {
            command.arg("run");
        }
        self.members.push((program, Process::spawn(command)));
    }

    /// Starts another process, for which the file is the system's `/etc/resolv.conf`.
    pub fn start_with_resolvers(&mut self, bed: &Bed, program: Program, resolvers: &Path) {
        let named = Process::command(program.binary(), bed);
        let mut command = Command::new("unshare");
        command.args([
            "--mount",
            "--",
            "sh",
            "-c",
            "mount --bind \"$1\" /etc/resolv.conf && exec \"$0\"",
        ]);
        command.arg(named.as_std().get_program()).arg(resolvers);
        for (name, value) in named.as_std().get_envs() {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        command.envs(self.variables.iter().map(|(name, value)| (name, value)));
        self.members.push((program, Process::spawn(command)));
    }

    /// The first process of a program.
    ///
    /// # Panics
    /// No process of it was started.
    pub fn first(&self, program: Program) -> &Process {
        let found = self.members.iter().find(|(kind, _)| *kind == program);
        &found.expect("one was started").1
    }

    /// Kills the first process of a program with SIGKILL.
    ///
    /// # Panics
    /// No process of it was started, or it has ended before.
    pub async fn kill9(&mut self, program: Program) {
        let (_, mut process) = self.members.remove(self.place(program));
        process.kill9().await;
    }

    /// Sends SIGTERM to the first process of a program and waits for its end.
    ///
    /// # Errors
    /// Its exit code is not 0.
    ///
    /// # Panics
    /// No process of it was started.
    pub async fn retire(&mut self, program: Program) -> Result<()> {
        let (_, mut process) = self.members.remove(self.place(program));
        process.signal("TERM");
        let code = process.ended().await;
        ensure!(code == 0, "{} ended with {code} after SIGTERM", program.binary());
        Ok(())
    }

    /// A complaint about each process that has ended by itself.
    pub fn unexpected_ends(&mut self) -> Vec<String> {
        let gone = self.members.iter_mut().filter_map(|(program, process)| {
            let last = process.lines().pop().unwrap_or_default();
            (!process.is_running()).then(|| format!("{} ended: {last}", program.binary()))
        });
        gone.collect()
    }

    /// Writes the output of each process to a file of its own.
    ///
    /// # Errors
    /// The system's.
    pub fn keep_logs(&self, folder: &Path) -> Result<()> {
        for (number, (program, process)) in self.members.iter().enumerate() {
            let file = folder.join(format!("{number}-{}.log", program.binary()));
            std::fs::write(file, process.lines().join("\n"))?;
        }
        Ok(())
    }

    fn place(&self, program: Program) -> usize {
        let found = self.members.iter().position(|(kind, _)| *kind == program);
        found.expect("one was started")
    }
}

/// The port in a URL of a server.
///
/// # Errors
/// It has no port.
pub fn port(url: &str) -> Result<u16> {
    Url::parse(url)?.port().ok_or_else(|| anyhow::anyhow!("a server without a port"))
}

/// A server's URL by the way of a proxy.
///
/// # Errors
/// It has no port.
pub fn through(proxy: &Proxy, url: &str) -> Result<String> {
    let mut url = Url::parse(url)?;
    let changed = url.set_port(Some(proxy.port()));
    ensure!(changed.is_ok(), "a server without a port");
    Ok(url.into())
}
