//! A PostgreSQL that syncs to disk and a Redis, both with their default settings.

use std::str::FromStr as _;
use std::time::Duration;

use anyhow::{Context as _, Result};
use private_servers::{
    Installation, Postgres, PostgresOptions, PrivateDirectory, Redis, RedisOptions,
};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{ConnectOptions as _, PgPool};

use crate::measuring::cpu::Watched;
use crate::options::{Database, Plan};

/// Connections of the bench itself: writers, copiers and queries.
const CONNECTIONS: u32 = 48;

/// Private servers. Dropping them stops them and removes their data.
pub(crate) struct Servers {
    /// Connections with a stranger's settings: without ours.
    pub(crate) pool: PgPool,
    /// A connection as the cluster's superuser, for the apparatus.
    pub(crate) superuser: PgPool,
    postgres: Postgres,
    redis: Redis,
    directory: PrivateDirectory,
}

impl Servers {
    pub(crate) async fn start(plan: &Plan, database: Database) -> Result<Self> {
        let (quick, statements) = (plan.quick, plan.statements);
        let started = plan.starts.spawn_blocking(move || start(database, quick, statements));
        let (postgres, redis, directory) = started.await.context("starting servers")??;
        // Slow statements are intended here.
        let options = PgConnectOptions::from_str(&postgres.url())?
            .log_slow_statements(tracing::log::LevelFilter::Off, Duration::MAX);
        let pool = PgPoolOptions::new()
            .max_connections(CONNECTIONS)
            .connect_with(options)
            .await
            .context("the private PostgreSQL")?;
        let superuser = PgPoolOptions::new().max_connections(1);
        let superuser = superuser.connect_lazy(&postgres.superuser_url())?;
        if statements {
            let made = "CREATE EXTENSION IF NOT EXISTS pg_stat_statements";
            sqlx::query(made).execute(&superuser).await?;
        }
        Ok(Self { pool, superuser, postgres, redis, directory })
    }

    pub(crate) fn database_url(&self) -> String {
        self.postgres.url()
    }

    pub(crate) fn redis_url(&self) -> String {
        self.redis.url()
    }

    /// The folder of the processes' logs. It is removed with the servers.
    pub(crate) fn folder(&self) -> &std::path::Path {
        self.directory.path()
    }

    pub(crate) fn watched(&self) -> Vec<Watched> {
        let postgres =
            self.postgres.pid().map(|pid| Watched { role: "postgres", pid, family: true });
        let redis = self.redis.pid().map(|pid| Watched { role: "redis", pid, family: false });
        postgres.into_iter().chain(redis).collect()
    }
}

fn start(
    database: Database,
    quick: bool,
    statements: bool,
) -> Result<(Postgres, Redis, PrivateDirectory)> {
    let installation = database.installation();
    let directory = installation.temporary_directory_on_disk()?;
    let mut libraries = Vec::new();
    if let Installation::Timescaledb { .. } = installation {
        libraries.push("timescaledb");
    }
    let mut options = PostgresOptions { installation, ..postgres(directory.clone(), quick) };
    if statements {
        libraries.push("pg_stat_statements");
        options = options
            .setting("shared_preload_libraries", &libraries.join(","))
            .setting("pg_stat_statements.track_planning", "on");
    }
    let postgres = Postgres::start(options)?;
    let redis =
        Redis::start(RedisOptions { directory: directory.clone(), durable: true, tcp: false })?;
    Ok((postgres, redis, directory))
}

/// PostgreSQL with its default settings. If `quick`, it is copied from a template, and still syncs
/// to disk.
fn postgres(directory: PrivateDirectory, quick: bool) -> PostgresOptions {
    if !quick {
        return PostgresOptions::durable(directory);
    }
    PostgresOptions::fast(directory)
        .setting("fsync", "on")
        .setting("full_page_writes", "on")
        .setting("shared_buffers", "128MB")
        .setting("max_wal_size", "1GB")
}
