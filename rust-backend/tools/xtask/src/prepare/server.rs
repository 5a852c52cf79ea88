//! A PostgreSQL that lives as long as its handle, on a Unix socket in a folder of its own.

use std::fs::{self, DirBuilder, File};
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, bail, ensure};

use crate::repository::output;

/// The account of a server that root starts; `scripts/setup.sh` makes it.
const ACCOUNT: &str = "agentauri-servers";
const STARTS_WITHIN: Duration = Duration::from_secs(30);
const LOOKS_EVERY: Duration = Duration::from_millis(20);

pub(crate) struct Server {
    folder: PathBuf,
    programs: PathBuf,
    url: String,
    process: Option<Child>,
}

impl Server {
    /// Installs PostgreSQL if it is missing, and starts a server with an empty cluster.
    pub(crate) fn start(root: &Path) -> Result<Self> {
        let folder = std::env::temp_dir().join(format!("agentauri-prepare.{}", std::process::id()));
        DirBuilder::new().mode(0o700).create(&folder)?;
        let url = format!("postgres://postgres@localhost/postgres?host={}", folder.display());
        // From here on a failure removes the folder.
        let mut server = Self { folder, programs: PathBuf::new(), url, process: None };
        server.programs = programs(root)?;
        server.initialize()?;
        server.launch()?;
        Ok(server)
    }

    /// The server's folder; it is removed with the server.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Applies the migrations of a folder in the order of their names.
    pub(crate) fn migrate(&self, folder: &Path) -> Result<()> {
        let entries = fs::read_dir(folder)?.map(|entry| Ok(entry?.path()));
        let mut files = entries.collect::<Result<Vec<PathBuf>>>()?;
        files.retain(|file| file.extension().is_some_and(|ending| ending == "sql"));
        files.sort();
        for file in files {
            output(self.psql().arg("--single-transaction").arg("--file").arg(file))?;
        }
        Ok(())
    }

    fn initialize(&self) -> Result<()> {
        if is_root() {
            output(Command::new("chown").arg(format!("{ACCOUNT}:")).arg(&self.folder))?;
        }
        output(
            self.unprivileged("initdb")
                .args(["-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8"])
                .arg("--no-sync")
                .arg("-D")
                .arg(self.folder.join("data")),
        )?;
        Ok(())
    }

    fn launch(&mut self) -> Result<()> {
        let path = self.folder.join("server.log");
        let log = File::create(&path)?;
        let process = self
            .unprivileged("postgres")
            .arg("-D")
            .arg(self.folder.join("data"))
            .arg("-k")
            .arg(&self.folder)
            .args(["-c", "listen_addresses=", "-c", "fsync=off"])
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()?;
        let process = self.process.insert(process);
        let end = Instant::now() + STARTS_WITHIN;
        loop {
            if let Some(status) = process.try_wait()? {
                bail!("PostgreSQL ended with {status}:\n{}", fs::read_to_string(path)?);
            }
            if is_ready(&self.programs, &self.url)? {
                return Ok(());
            }
            ensure!(Instant::now() < end, "PostgreSQL took more than {STARTS_WITHIN:?} to start");
            thread::sleep(LOOKS_EVERY);
        }
    }

    fn psql(&self) -> Command {
        let mut psql = Command::new(self.programs.join("psql"));
        psql.args(["-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", &self.url]);
        psql
    }

    /// A PostgreSQL program as a user that it accepts. It ends with us, however we end.
    fn unprivileged(&self, program: &str) -> Command {
        let mut command = Command::new("setpriv");
        if is_root() {
            command.arg(format!("--reuid={ACCOUNT}")).arg(format!("--regid={ACCOUNT}"));
            command.arg("--init-groups");
        }
        // In a working directory that the user may not read, the program would complain.
        command.args(["--pdeathsig=INT", "--"]).arg(self.programs.join(program)).current_dir("/");
        command
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(process) = &mut self.process {
            // SIGINT is PostgreSQL's fast shutdown.
            let _ = Command::new("kill").args(["-INT", &process.id().to_string()]).status();
            let _ = process.wait();
        }
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// The folder of PostgreSQL's programs; which one is `scripts/setup.sh`'s to say.
fn programs(root: &Path) -> Result<PathBuf> {
    let script = "source scripts/setup.sh && need_postgres && need_account && postgres_bin";
    let folder = output(Command::new("bash").args(["-c", script]).current_dir(root))?;
    Ok(PathBuf::from(folder.trim_end()))
}

fn is_ready(programs: &Path, url: &str) -> Result<bool> {
    Ok(Command::new(programs.join("pg_isready")).args(["-q", "-d", url]).status()?.success())
}

fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0)
}
