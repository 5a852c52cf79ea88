//! A private PostgreSQL.

mod cluster;
mod installation;
mod options;
mod status;

use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::process::Signal;

pub use self::installation::Installation;
use self::installation::Programs;
pub use self::options::PostgresOptions;
use crate::process::guarded::Guarded;
use crate::process::launch::Launch;
use crate::process::processes::{self, Ending};
use crate::process::{server_log, wait};
use crate::{Error, free_port, password, percent};

/// The database that every cluster has.
pub(crate) const DATABASE: &str = "agentauri_backend";

/// The owner of the database and all in it, no superuser: the role for every connection. Migrations
/// make the same role where a superuser runs them (20250123000000).
pub(crate) const OWNER: &str = "agentauri_owner";

/// The cluster's superuser: makes clusters, and serves [`Postgres::superuser_url`].
pub(crate) const SUPERUSER: &str = "postgres";

/// The port in the socket's name, also without TCP.
const SOCKET_PORT: u16 = 5432;

/// Time for a start: after a crash it replays its log first.
const START_MAX: Duration = Duration::from_mins(1);

/// SIGINT disconnects all clients and writes a checkpoint; SIGQUIT ends at once, with recovery at
/// the next start.
const ENDING: Ending = Ending {
    name: "postgres",
    polite: Signal::INT,
    patience: Duration::from_secs(20),
    firm: Signal::QUIT,
};

/// A running private PostgreSQL with an empty database. Dropping it stops it.
///
/// Calls block as long as documented; async code may use them only at its start and end.
#[derive(Debug)]
pub struct Postgres {
    /// `None` while it is down. Declared before `options`, because the directory must outlive it.
    server: Option<Guarded>,
    data: PathBuf,
    sockets: PathBuf,
    log: PathBuf,
    port: u16,
    passwords: Passwords,
    programs: Programs,
    options: PostgresOptions,
}

/// Passwords of the two roles; empty without TCP.
#[derive(Clone, Debug, Default)]
struct Passwords {
    owner: String,
    superuser: String,
}

impl Postgres {
    /// Starts it and waits until it accepts connections: a second or two the first time, less than
    /// half a second later, up to a minute after a crash.
    ///
    /// A server that a dead process left on the same data is stopped first.
    pub fn start(options: PostgresOptions) -> Result<Self, Error> {
        let folder = options.directory.server_folder("postgres")?;
        let data = folder.join("data");
        cluster::refuse_other_layouts(&data, options.directory.path())?;
        let programs = Programs::find(&options.installation, cluster::major(&data))?;
        if programs.account != options.directory.account() {
            let reason = "is not for this installation's user; use its temporary_directory";
            return Err(Error::unusable(options.directory.path(), reason));
        }
        let sockets = options.directory.folder_for_server(&folder, "socket")?;
        processes::end_leftovers(&data, ENDING);
        cluster::ensure(&programs, &data, options.durable)?;
        let mut postgres = Self {
            server: None,
            data,
            sockets,
            log: folder.join("server.log"),
            port: SOCKET_PORT,
            passwords: Passwords::default(),
            programs,
            options,
        };
        if postgres.options.tcp {
            postgres.start_on_free_port()?;
        } else {
            postgres.launch()?;
        }
        Ok(postgres)
    }

    /// A fresh PostgreSQL for one test, in a directory that is removed with it. Not durable, and
    /// copied from a template that the very first test makes (about two seconds).
    ///
    /// It may also be kept in a static: it ends with the process.
    pub fn for_test() -> Result<Self, Error> {
        let installation = Installation::for_test()?;
        let directory = installation.temporary_directory()?;
        Self::start(PostgresOptions { installation, ..PostgresOptions::fast(directory) })
    }

    /// A standby of this server, in a directory of its own: it follows from now on, and knows the
    /// same roles and databases.
    ///
    /// Takes a second or two. It goes on after the end of this server.
    pub fn standby(&self) -> Result<Self, Error> {
        let directory = self.options.installation.temporary_directory()?;
        let folder = directory.server_folder("postgres")?;
        let data = directory.folder_for_server(&folder, "data")?;
        let sockets = directory.folder_for_server(&folder, "socket")?;
        cluster::follow(&self.programs, (&self.sockets, self.port), &data)?;
        let mut standby = Self {
            server: None,
            data,
            sockets,
            log: folder.join("server.log"),
            port: SOCKET_PORT,
            passwords: self.passwords.clone(),
            programs: self.programs.clone(),
            options: PostgresOptions { directory, ..self.options.clone() },
        };
        if standby.options.tcp {
            standby.launch_on_free_port()?;
        } else {
            standby.launch()?;
        }
        Ok(standby)
    }

    /// The URL of the database `agentauri_backend` as its owner, for sqlx, psql and libpq.
    ///
    /// With TCP it holds the password: do not log it.
    pub fn url(&self) -> String {
        self.url_as(OWNER, &self.passwords.owner, DATABASE)
    }

    /// The URL of another database of the same server, as the same role.
    pub fn url_of(&self, database: &str) -> String {
        self.url_as(OWNER, &self.passwords.owner, database)
    }

    /// As [`Self::url`], as the cluster's superuser: for actions that our own role may not take.
    pub fn superuser_url(&self) -> String {
        self.url_as(SUPERUSER, &self.passwords.superuser, DATABASE)
    }

    fn url_as(&self, role: &str, password: &str, database: &str) -> String {
        let (port, database) = (self.port, percent::encoded(database.as_bytes()));
        if self.options.tcp {
            return format!("postgres://{role}:{password}@127.0.0.1:{port}/{database}");
        }
        socket_url(role, &self.sockets, port, &database)
    }

    /// The folder of its Unix socket, for `psql -h`. It exists with TCP, too.
    pub fn socket_dir(&self) -> &Path {
        &self.sockets
    }

    /// The environment for psql and other programs of libpq: through the socket, as the owner.
    pub fn psql_env(&self) -> [(&'static str, String); 4] {
        [
            ("PGHOST", self.sockets.display().to_string()),
            ("PGPORT", self.port.to_string()),
            ("PGUSER", OWNER.to_owned()),
            ("PGDATABASE", DATABASE.to_owned()),
        ]
    }

    /// The log of its present run.
    pub fn log_path(&self) -> &Path {
        &self.log
    }

    /// Its first process, or `None` after [`Self::kill9`] and [`Self::halt`].
    pub fn pid(&self) -> Option<u32> {
        self.server.as_ref().map(Guarded::pid)
    }

    /// True if TimescaleDB is ready for `CREATE EXTENSION timescaledb`.
    pub fn has_timescaledb(&self) -> bool {
        self.programs.has_timescaledb()
    }

    /// Kills all of its processes at once, as a loss of power would. No commit is lost;
    /// [`Self::restart`] recovers.
    pub fn kill9(&mut self) {
        processes::crash(&self.data, ENDING.name);
        if let Some(mut server) = self.server.take() {
            server.bury();
        }
        status::free_shared_memory(&self.data);
    }

    /// Stops it until [`Self::restart`], as `pg_ctl stop` does. Fast: disconnects all clients and
    /// writes a checkpoint. Otherwise immediately, with recovery at the next start.
    pub fn halt(&mut self, fast: bool) {
        if let Some(mut server) = self.server.take() {
            server.end(fast);
        }
    }

    /// Stops it if it runs, and starts it again: same data, same URL. Disconnects all clients.
    pub fn restart(&mut self) -> Result<(), Error> {
        self.halt(true);
        self.launch()
    }

    /// Stops it, within 40 s at worst: disconnects all clients and writes everything to disk.
    pub fn stop(mut self) {
        self.halt(true);
    }

    fn start_on_free_port(&mut self) -> Result<(), Error> {
        self.passwords = Passwords { owner: password::random(), superuser: password::random() };
        let Passwords { owner, superuser } = &self.passwords;
        let kind = if self.options.durable { "scram-sha-256" } else { "md5" };
        let sql = format!(
            "SET password_encryption = '{kind}'\nALTER ROLE {OWNER} PASSWORD '{owner}'\n\
             ALTER ROLE {SUPERUSER} PASSWORD '{superuser}'\n"
        );
        cluster::run_single(&self.programs, &self.data, &sql)?;
        self.launch_on_free_port()
    }

    fn launch_on_free_port(&mut self) -> Result<(), Error> {
        let mut tries = 1;
        loop {
            self.port = free_port::choose()?;
            match self.launch() {
                Err(_) if tries < free_port::TRIES && free_port::is_taken(self.port) => tries += 1,
                result => return result,
            }
        }
    }

    fn launch(&mut self) -> Result<(), Error> {
        let log = server_log::begin(&self.log)?;
        let directory = &self.options.directory;
        let folder = self.data.parent().filter(|_| directory.is_temporary());
        let mut server = Guarded::start(&self.command()?, &log, b"", &self.data, ENDING, folder)?;
        let pid = server.pid();
        wait::until(START_MAX, || server.has_ended() || status::is_ready(&self.data, pid));
        if server.has_ended() || !status::is_ready(&self.data, pid) {
            server.end(false);
            let what = "did not start".to_owned();
            let log = server_log::tail(&self.log);
            return Err(Error::Failed { server: "PostgreSQL", what, log });
        }
        tracing::debug!(pid, data = %self.data.display(), "started a private PostgreSQL");
        self.server = Some(server);
        Ok(())
    }

    fn command(&self) -> Result<Launch, Error> {
        let folder = self.data.parent().unwrap_or(Path::new("/"));
        let mut launch = self.programs.launch("postgres", folder)?;
        launch.add("-D");
        launch.add(self.programs.inner(&self.data)?);
        // In quotes, because it is a list and paths may hold spaces.
        let sockets = self.programs.inner(&self.sockets)?;
        let sockets = sockets.display().to_string().replace('"', "\"\"");
        let sockets = format!("\"{sockets}\"");
        let port = self.port.to_string();
        let listen = if self.options.tcp { "127.0.0.1" } else { "" };
        let ours =
            [("listen_addresses", listen), ("port", &port), ("unix_socket_directories", &sockets)];
        for (name, value) in self.options.all_settings().into_iter().chain(ours) {
            launch.add("-c");
            launch.add(format!("{name}={value}"));
        }
        Ok(launch)
    }
}

/// The URL of a database through a Unix socket. The host before the path is a placeholder that the
/// parameter overrides. A socket offers no encryption; disabling it spares each connection a round
/// trip.
fn socket_url(role: &str, sockets: &Path, port: u16, database: &str) -> String {
    let folder = percent::encoded(sockets.as_os_str().as_encoded_bytes());
    format!("postgres://{role}@localhost:{port}/{database}?host={folder}&sslmode=disable")
}

/// The URL of the server that another process runs in a private directory, if it answers.
pub(crate) fn running_in(directory: &Path) -> Option<String> {
    let sockets = directory.join("postgres/socket");
    let socket = sockets.join(format!(".s.PGSQL.{SOCKET_PORT}"));
    UnixStream::connect(socket).ok()?;
    Some(socket_url(OWNER, &sockets, SOCKET_PORT, DATABASE))
}

impl Drop for Postgres {
    fn drop(&mut self) {
        // Data that is removed anyway needs no checkpoint.
        let politely = !self.options.directory.is_temporary();
        if let Some(mut server) = self.server.take() {
            server.end(politely);
        }
    }
}
