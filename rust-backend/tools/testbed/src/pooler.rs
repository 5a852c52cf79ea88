//! A `PgBouncer` between us and a PostgreSQL.

use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::process::{Child, Command, Stdio};

use private_servers::Postgres;
use tempfile::TempDir;
use url::Url;

use crate::eventually;

const PROGRAM: &str = "/usr/sbin/pgbouncer";
/// It refuses to run as root, and then becomes the account of root's private servers.
const ACCOUNT: &str = "agentauri-servers";

/// A running `PgBouncer`. Dropping it ends it.
pub struct Pooler {
    process: Child,
    url: Url,
    _folder: TempDir,
}

impl Pooler {
    /// Starts one before a server that listens on TCP, with some lines of configuration.
    ///
    /// # Panics
    /// It does not start.
    pub async fn before(server: &Postgres, lines: &str) -> Self {
        let mut url = Url::parse(&server.url()).expect("a URL");
        let port = free_port();
        let text = format!(
            "[databases]\n* = host=127.0.0.1 port={} user={} password={}\n[pgbouncer]\n\
             listen_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\nauth_type = any\n\
             {lines}\n",
            url.port().expect("by TCP"),
            url.username(),
            url.password().expect("by TCP"),
        );
        let folder = tempfile::tempdir().expect("a folder");
        let open = std::fs::Permissions::from_mode(0o755);
        std::fs::set_permissions(folder.path(), open).expect("open to its account");
        let file = folder.path().join("pgbouncer.ini");
        std::fs::write(&file, text).expect("written");
        let mut command = Command::new(PROGRAM);
        if std::fs::metadata("/proc/self").is_ok_and(|us| us.uid() == 0) {
            command.args(["-u", ACCOUNT]);
        }
        command.arg(&file).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let process = command.spawn().expect("PgBouncer: scripts/setup.sh pgbouncer installs it");
        url.set_port(Some(port)).expect("a port");
        let answers = async || TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok();
        eventually("PgBouncer listens", answers).await;
        Self { process, url, _folder: folder }
    }

    /// The URL of the database through it.
    pub fn url(&self) -> String {
        self.url.to_string()
    }

    /// The URL of another database of the same server.
    pub fn url_of(&self, database: &str) -> String {
        let mut url = self.url.clone();
        url.set_path(database);
        url.to_string()
    }
}

fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    listener.local_addr().expect("bound").port()
}

impl Drop for Pooler {
    fn drop(&mut self) {
        // It has ended already, or ends now.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
