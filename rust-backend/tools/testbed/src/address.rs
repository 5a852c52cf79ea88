//! One address that leads to several servers, one after another.

use std::os::unix::fs::symlink;

use private_servers::Postgres;
use tempfile::TempDir;

/// A path to the socket of a PostgreSQL. Open connections stay where they are when it is led to
/// another server, as behind a name or a virtual address.
pub struct Address(TempDir);

impl Address {
    /// An address that leads to a server.
    ///
    /// # Panics
    /// The system refuses a link.
    pub fn of(server: &Postgres) -> Self {
        let address = Self(tempfile::tempdir().expect("a folder"));
        address.lead_to(server);
        address
    }

    /// Leads new connections to another server.
    ///
    /// # Panics
    /// The system refuses a link.
    pub fn lead_to(&self, server: &Postgres) {
        let (next, here) = (self.0.path().join("next"), self.0.path().join("here"));
        symlink(server.socket_dir(), &next).expect("a link");
        std::fs::rename(next, here).expect("in its place");
    }

    /// The URL of the database, as its owner.
    ///
    /// # Panics
    /// The path is no text.
    pub fn url(&self) -> String {
        let folder = self.0.path().join("here");
        let folder = folder.to_str().expect("text").replace('/', "%2F");
        format!(
            "postgres://agentauri_owner@localhost/agentauri_backend?host={folder}&sslmode=disable"
        )
    }
}
