//! A private Redis.

use std::fmt::Write as _;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::process::Signal;

use crate::process::guarded::Guarded;
use crate::process::launch::Launch;
use crate::process::processes::{self, Ending};
use crate::process::{programs, server_log, wait};
use crate::{Error, PrivateDirectory, free_port, password, percent};

/// Time for a start: it replays its whole log.
const START_MAX: Duration = Duration::from_mins(1);

/// Time for one answer while it starts.
const ANSWER_MAX: Duration = Duration::from_secs(1);

/// SIGTERM writes buffered data first.
const ENDING: Ending = Ending {
    name: "redis-server",
    polite: Signal::TERM,
    patience: Duration::from_secs(20),
    firm: Signal::KILL,
};

/// The settings of a private Redis.
#[derive(Clone, Debug)]
pub struct RedisOptions {
    /// The directory of its data, socket and log.
    pub directory: PrivateDirectory,
    /// Keeps data beyond its end: all but the last second's, even in a crash of the machine.
    pub durable: bool,
    /// Listens on a free loopback port with a random password, instead of a Unix socket in a folder
    /// that is closed to others.
    pub tcp: bool,
}

/// A running private Redis. Dropping it stops it.
///
/// Calls block as long as documented; async code may use them only at its start and end.
#[derive(Debug)]
pub struct Redis {
    /// `None` after [`Self::kill9`]. Declared before `options`, because the directory must outlive
    /// it.
    server: Option<Guarded>,
    program: PathBuf,
    data: PathBuf,
    socket: PathBuf,
    log: PathBuf,
    port: u16,
    password: String,
    /// The port of its master, if it began as a replica.
    master: Option<u16>,
    options: RedisOptions,
}

impl Redis {
    /// Starts it and waits until it answers: about 20 ms, or as long as reading its data takes.
    ///
    /// A server that a dead process left on the same data is stopped first.
    pub fn start(options: RedisOptions) -> Result<Self, Error> {
        Self::start_after(options, None)
    }

    /// A replica of this server, which listens on TCP, in a directory of its own; it has the same
    /// password.
    pub fn replica(&self) -> Result<Self, Error> {
        let directory = PrivateDirectory::temporary()?;
        let options = RedisOptions { directory, ..self.options.clone() };
        Self::start_after(options, Some(self))
    }

    fn start_after(options: RedisOptions, master: Option<&Self>) -> Result<Self, Error> {
        let program = programs::find("redis-server", "scripts/setup.sh redis installs it")?;
        let folder = options.directory.server_folder("redis")?;
        let data = options.directory.folder_for_server(&folder, "data")?;
        let sockets = options.directory.folder_for_server(&folder, "socket")?;
        processes::end_leftovers(&data, ENDING);
        let mut redis = Self {
            server: None,
            program,
            data,
            socket: sockets.join("redis.sock"),
            log: folder.join("server.log"),
            port: 0,
            password: String::new(),
            master: master.map(|master| master.port),
            options,
        };
        if redis.options.tcp {
            redis.password = master.map_or_else(password::random, |it| it.password.clone());
            redis.start_on_free_port()?;
        } else {
            redis.launch()?;
        }
        Ok(redis)
    }

    /// A fresh Redis for one test, in a directory that is removed with it.
    pub fn for_test() -> Result<Self, Error> {
        let directory = PrivateDirectory::temporary()?;
        Self::start(RedisOptions { directory, durable: false, tcp: false })
    }

    /// Its URL for the redis crate. With TCP it holds the password: do not log it.
    pub fn url(&self) -> String {
        if self.options.tcp {
            return format!("redis://:{}@127.0.0.1:{}/", self.password, self.port);
        }
        socket_url(&self.socket)
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
        processes::crash(&self.data, ENDING.name);
        if let Some(mut server) = self.server.take() {
            server.bury();
        }
    }

    /// Stops it if it runs, and starts it again: same URL; same data if it is durable.
    pub fn restart(&mut self) -> Result<(), Error> {
        if let Some(mut server) = self.server.take() {
            server.end(true);
        }
        self.launch()
    }

    /// Stops it, within 40 s at worst.
    pub fn stop(mut self) {
        if let Some(mut server) = self.server.take() {
            server.end(true);
        }
    }

    fn start_on_free_port(&mut self) -> Result<(), Error> {
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
        let folder = self.data.parent().unwrap_or(Path::new("/"));
        let mut launch = Launch::new(&self.program, directory.account(), folder);
        // The configuration comes through standard input, because it holds the password.
        launch.add("-");
        let removed = directory.is_temporary().then_some(folder);
        let configuration = self.configuration();
        let mut server =
            Guarded::start(&launch, &log, configuration.as_bytes(), &self.data, ENDING, removed)?;
        wait::until(START_MAX, || server.has_ended() || self.answers());
        if server.has_ended() || !self.answers() {
            server.end(false);
            let what = "did not start".to_owned();
            return Err(Error::Failed { server: "Redis", what, log: server_log::tail(&self.log) });
        }
        tracing::debug!(pid = server.pid(), "started a private Redis");
        self.server = Some(server);
        Ok(())
    }

    fn configuration(&self) -> String {
        let mut text = "daemonize no\nloglevel notice\nlogfile \"\"\nsave \"\"\n".to_owned();
        let append = if self.options.durable { "yes" } else { "no" };
        // Writing to a string cannot fail.
        let _ = writeln!(text, "appendonly {append}\nappendfsync everysec");
        let _ = writeln!(text, "dir {}", quoted(&self.data));
        if self.options.tcp {
            let _ = writeln!(text, "bind 127.0.0.1\nport {}", self.port);
            let _ = writeln!(text, "requirepass {0}\nmasterauth {0}", self.password);
            if let Some(master) = self.master {
                let _ = writeln!(text, "replicaof 127.0.0.1 {master}");
            }
        } else {
            let _ = writeln!(text, "port 0\nunixsocketperm 700");
            let _ = writeln!(text, "unixsocket {}", quoted(&self.socket));
        }
        text
    }

    fn answers(&self) -> bool {
        let answer = if self.options.tcp {
            TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).and_then(|stream| {
                stream.set_read_timeout(Some(ANSWER_MAX))?;
                ping(stream, &self.password)
            })
        } else {
            UnixStream::connect(&self.socket).and_then(|stream| {
                stream.set_read_timeout(Some(ANSWER_MAX))?;
                ping(stream, "")
            })
        };
        answer.unwrap_or(false)
    }
}

fn socket_url(socket: &Path) -> String {
    format!("redis+unix://{}", percent::encoded(socket.as_os_str().as_encoded_bytes()))
}

/// The URL of the server that another process runs in a private directory, if it answers.
pub(crate) fn running_in(directory: &Path) -> Option<String> {
    let socket = directory.join("redis/socket/redis.sock");
    UnixStream::connect(&socket).ok()?;
    Some(socket_url(&socket))
}

impl Drop for Redis {
    fn drop(&mut self) {
        let politely = !self.options.directory.is_temporary();
        if let Some(mut server) = self.server.take() {
            server.end(politely);
        }
    }
}

/// True if the server has read its data. Until then it answers LOADING.
fn ping(mut stream: impl Read + Write, password: &str) -> io::Result<bool> {
    let (request, expected) = if password.is_empty() {
        ("PING\r\n".to_owned(), "+PONG\r\n")
    } else {
        (format!("AUTH {password}\r\nPING\r\n"), "+OK\r\n+PONG\r\n")
    };
    stream.write_all(request.as_bytes())?;
    let mut answer = vec![0; expected.len()];
    stream.read_exact(&mut answer)?;
    Ok(answer == expected.as_bytes())
}

/// A path as a word of Redis's configuration.
fn quoted(path: &Path) -> String {
    let mut text = "\"".to_owned();
    for &byte in path.as_os_str().as_encoded_bytes() {
        if byte.is_ascii_graphic() && byte != b'"' && byte != b'\\' {
            text.push(char::from(byte));
        } else {
            // Writing to a string cannot fail.
            let _ = write!(text, "\\x{byte:02x}");
        }
    }
    text.push('"');
    text
}
