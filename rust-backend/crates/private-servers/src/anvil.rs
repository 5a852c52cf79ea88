//! A private Ethereum node for development: anvil.

use std::env;
use std::fs::{self, Permissions};
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::process::Signal;

use crate::account::SystemAccount;
use crate::process::guarded::Guarded;
use crate::process::launch::Launch;
use crate::process::processes::Ending;
use crate::process::{programs, server_log, wait};
use crate::{Error, PrivateDirectory, free_port};

/// Time for a start.
const START_MAX: Duration = Duration::from_mins(1);

/// Time for one answer while it starts.
const ANSWER_MAX: Duration = Duration::from_secs(1);

/// Bytes of an answer that are read.
const ANSWER_BYTES_MAX: u64 = 4_096;

/// Short, because anvil keeps no data.
const ENDING: Ending = Ending {
    name: "anvil",
    polite: Signal::INT,
    patience: Duration::from_secs(3),
    firm: Signal::KILL,
};

/// The settings of a private anvil.
#[derive(Clone, Debug)]
pub struct AnvilOptions {
    /// The directory of its log.
    pub directory: PrivateDirectory,
    /// The native program. `None` for that of the npm package in `devnet/node_modules`, in the
    /// working directory or above.
    pub program: Option<PathBuf>,
    /// The interval between blocks, to the millisecond; `None` for a block per transaction.
    pub block_time: Option<Duration>,
    /// The chain's id (EIP-155).
    pub chain_id: u64,
    /// The first block's time in unix seconds; `None` for now.
    pub timestamp: Option<u64>,
    /// More arguments of anvil's command line.
    pub arguments: Vec<String>,
}

impl AnvilOptions {
    /// anvil's own defaults: a block per transaction, on chain 31337.
    pub fn new(directory: PrivateDirectory) -> Self {
        Self {
            directory,
            program: None,
            block_time: None,
            chain_id: 31_337,
            timestamp: None,
            arguments: Vec::new(),
        }
    }
}

/// A running private anvil. Dropping it stops it and discards its chain.
///
/// Any program on this machine can reach it through its loopback port.
#[derive(Debug)]
pub struct Anvil {
    /// `None` after [`Self::kill9`]. Declared before `options`, because the directory must outlive
    /// it.
    server: Option<Guarded>,
    program: PathBuf,
    folder: PathBuf,
    /// Its working directory and home, owned by its user.
    home: PathBuf,
    log: PathBuf,
    port: u16,
    options: AnvilOptions,
}

impl Anvil {
    /// Starts it on a free port and waits until it answers: about 100 ms.
    pub fn start(options: AnvilOptions) -> Result<Self, Error> {
        let program = match &options.program {
            Some(program) => std::path::absolute(program).map_err(Error::io(program))?,
            None => installed_program()?,
        };
        let folder = options.directory.server_folder(&format!("anvil-{}", options.chain_id))?;
        let home = options.directory.folder_for_server(&folder, "home")?;
        let program = startable(&program, &folder, options.directory.account())?;
        let log = folder.join("server.log");
        let mut anvil = Self { server: None, program, folder, home, log, port: 0, options };
        let mut tries = 1;
        loop {
            anvil.port = free_port::choose()?;
            match anvil.launch() {
                Err(_) if tries < free_port::TRIES && free_port::is_taken(anvil.port) => tries += 1,
                result => return result.map(|()| anvil),
            }
        }
    }

    /// Its JSON-RPC over HTTP.
    pub fn rpc_url(&self) -> String {
        format!("http://127.0.0.1:{}/", self.port)
    }

    /// Its JSON-RPC over websocket.
    pub fn ws_url(&self) -> String {
        format!("ws://127.0.0.1:{}/", self.port)
    }

    /// The log of its present run.
    pub fn log_path(&self) -> &Path {
        &self.log
    }

    /// Its process, or `None` after [`Self::kill9`].
    pub fn pid(&self) -> Option<u32> {
        self.server.as_ref().map(Guarded::pid)
    }

    /// Kills it at once.
    pub fn kill9(&mut self) {
        if let Some(mut server) = self.server.take() {
            // `bury` kills a living process.
            server.bury();
        }
    }

    /// Stops it if it runs, and starts it again: same URL, a new chain.
    pub fn restart(&mut self) -> Result<(), Error> {
        if let Some(mut server) = self.server.take() {
            server.end(true);
        }
        self.launch()
    }

    /// The same with another time of the first block, in unix seconds: a chain of another genesis
    /// under the same id.
    pub fn restart_at(&mut self, timestamp: u64) -> Result<(), Error> {
        self.options.timestamp = Some(timestamp);
        self.restart()
    }

    /// Stops it, within 20 s at worst.
    pub fn stop(mut self) {
        if let Some(mut server) = self.server.take() {
            server.end(true);
        }
    }

    fn launch(&mut self) -> Result<(), Error> {
        let log = server_log::begin(&self.log)?;
        let mut launch = Launch::new(&self.program, self.options.directory.account(), &self.home);
        for (name, value) in
            [("--port", u64::from(self.port)), ("--chain-id", self.options.chain_id)]
        {
            launch.add(name);
            launch.add(value.to_string());
        }
        for word in ["--host", "127.0.0.1", "--quiet"] {
            launch.add(word);
        }
        if let Some(block_time) = self.options.block_time {
            launch.add("--block-time");
            launch.add(format!("{:.3}", block_time.as_secs_f64()));
        }
        if let Some(timestamp) = self.options.timestamp {
            launch.add("--timestamp");
            launch.add(timestamp.to_string());
        }
        for argument in &self.options.arguments {
            launch.add(argument);
        }
        let removed = self.options.directory.is_temporary().then_some(self.folder.as_path());
        let mut server = Guarded::start(&launch, &log, b"", &self.home, ENDING, removed)?;
        wait::until(START_MAX, || server.has_ended() || self.answers());
        // Both, in this order: a stranger's anvil may answer on a port that ours did not get.
        if !self.answers() || server.has_ended() {
            server.end(false);
            let what = "did not start".to_owned();
            return Err(Error::Failed { server: "anvil", what, log: server_log::tail(&self.log) });
        }
        tracing::debug!(pid = server.pid(), port = self.port, "started a private anvil");
        self.server = Some(server);
        Ok(())
    }

    fn answers(&self) -> bool {
        let expected = format!("\"result\":\"{:#x}\"", self.options.chain_id);
        ask_chain_id(self.port).is_ok_and(|answer| answer.contains(&expected))
    }
}

/// A path of `program` that `account` can execute: `program` itself, or a copy in `folder` where
/// the account may not enter the program's folder.
fn startable(
    program: &Path,
    folder: &Path,
    account: Option<SystemAccount>,
) -> Result<PathBuf, Error> {
    let program = program.canonicalize().map_err(Error::io(program))?;
    let above = program.parent().unwrap_or(Path::new("/"));
    if account.is_none_or(|account| account.may_enter(above)) {
        return Ok(program);
    }
    let copy = folder.join("anvil");
    fs::copy(&program, &copy).map_err(Error::io(&program))?;
    fs::set_permissions(&copy, Permissions::from_mode(0o755)).map_err(Error::io(&copy))?;
    Ok(copy)
}

/// Requests the chain's id and returns the whole response.
fn ask_chain_id(port: u16) -> std::io::Result<String> {
    const QUESTION: &str = r#"{"jsonrpc":"2.0","id":1,"method":"eth_chainId","params":[]}"#;
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    stream.set_read_timeout(Some(ANSWER_MAX))?;
    write!(
        stream,
        "POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{QUESTION}",
        QUESTION.len()
    )?;
    let mut answer = String::new();
    stream.take(ANSWER_BYTES_MAX).read_to_string(&mut answer)?;
    Ok(answer)
}

/// Finds the native program: the npm package's own is a launcher, and the native one lies in a
/// package beside it, named after the platform: `@foundry-rs/anvil-linux-amd64/bin/anvil`.
fn installed_program() -> Result<PathBuf, Error> {
    let working_directory = env::current_dir().map_err(Error::io(Path::new(".")))?;
    working_directory
        .ancestors()
        .filter_map(|folder| fs::read_dir(folder.join("devnet/node_modules/@foundry-rs")).ok())
        .flatten()
        .find_map(|entry| {
            let entry = entry.ok()?;
            let name = entry.file_name();
            let program = entry.path().join("bin/anvil");
            (name.to_str()?.starts_with("anvil-") && programs::is_executable(&program))
                .then_some(program)
        })
        .ok_or_else(|| Error::Missing {
            program: "anvil".to_owned(),
            hint: "not in devnet/node_modules here or above; run npm ci in devnet".to_owned(),
        })
}
