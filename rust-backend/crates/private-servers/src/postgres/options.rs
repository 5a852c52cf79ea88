//! Settings of a private PostgreSQL.

use crate::{Installation, PrivateDirectory};

/// The settings of a private PostgreSQL.
#[derive(Clone, Debug)]
pub struct PostgresOptions {
    /// The directory of its data, socket and log.
    pub directory: PrivateDirectory,
    /// Keeps data through a crash of the machine. Otherwise nothing is synced to disk; a crash of
    /// the server alone still loses no commit.
    pub durable: bool,
    /// Listens on a free loopback port too, with a random password, and [`Postgres::url`] uses it.
    /// Otherwise only on a Unix socket in a folder that is closed to others.
    ///
    /// [`Postgres::url`]: crate::Postgres::url
    pub tcp: bool,
    /// More settings as in postgresql.conf, by name; they override our own.
    pub settings: Vec<(String, String)>,
    /// The programs to run.
    pub installation: Installation,
}

impl PostgresOptions {
    /// The embedded default: durable.
    pub fn durable(directory: PrivateDirectory) -> Self {
        Self {
            directory,
            durable: true,
            tcp: false,
            settings: Vec::new(),
            installation: Installation::Plain,
        }
    }

    /// For tests: a fast start and small files.
    pub fn fast(directory: PrivateDirectory) -> Self {
        Self { durable: false, ..Self::durable(directory) }
    }

    /// Adds a setting as in postgresql.conf.
    #[must_use]
    pub fn setting(mut self, name: &str, value: &str) -> Self {
        self.settings.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Our own settings, then the caller's.
    pub(crate) fn all_settings(&self) -> Vec<(&str, &str)> {
        let mut all: Vec<(&str, &str)> = vec![("unix_socket_permissions", "0700")];
        all.extend([("timezone", "UTC"), ("log_timezone", "UTC")]);
        all.extend([("max_connections", "100"), ("log_checkpoints", "off")]);
        if !self.durable {
            // Commits still reach the operating system before they are answered, because tests may
            // kill the server: synchronous_commit stays on.
            all.extend([("fsync", "off"), ("full_page_writes", "off")]);
            all.push(("shared_buffers", "32MB"));
            // An application that shares the database may prepare transactions.
            all.push(("max_prepared_transactions", "4"));
            // With log segments of 1 MB the default is so small that checkpoints never pause.
            all.extend([("min_wal_size", "32MB"), ("max_wal_size", "256MB")]);
            // Keeps shared memory in the data directory: a killed server leaves nothing behind.
            all.push(("dynamic_shared_memory_type", "mmap"));
        }
        if let Installation::Timescaledb { .. } = self.installation {
            all.push(("shared_preload_libraries", "timescaledb"));
            all.push(("timescaledb.telemetry_level", "off"));
            // Each database with the extension keeps a worker; tests have many databases.
            all.push(("max_worker_processes", "48"));
            all.push(("timescaledb.max_background_workers", "32"));
        }
        all.extend(self.settings.iter().map(|(name, value)| (name.as_str(), value.as_str())));
        all
    }
}
