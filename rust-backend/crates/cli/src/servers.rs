//! The private servers of `run` and `demo`, unless the environment names others.

use anyhow::{Context as _, Result};
use private_servers::{Postgres, PostgresOptions, PrivateDirectory, Redis, RedisOptions, Running};
use service::config::{Endpoint, Settings};

/// Servers that belong to this process. Dropping them stops them.
pub(crate) struct Servers {
    _postgres: Postgres,
    _redis: Redis,
}

/// The settings with servers in them: the named ones, or else private ones.
pub(crate) fn provided(settings: Settings) -> Result<(Settings, Option<Servers>)> {
    if !settings.names_no_servers() {
        return Ok((settings, None));
    }
    let here = std::env::current_dir().context("the working directory")?;
    let directory = PrivateDirectory::for_working_directory(&here)?;
    let (settings, servers) = start(settings, &directory, true)?;
    tracing::info!("Private PostgreSQL and Redis in {}", directory.path().display());
    Ok((settings, Some(servers)))
}

/// The settings with the private servers of an `agentauri run` that was started here, unless they
/// name others.
pub(crate) fn beside(settings: Settings) -> Result<Settings> {
    if !settings.names_no_servers() {
        return Ok(settings);
    }
    let here = std::env::current_dir().context("the working directory")?;
    // Where its own servers cannot run, a command that needs others says which to name.
    match Running::beside(&here) {
        Ok(Some(running)) => naming(settings, &running.postgres_url, &running.redis_url),
        Ok(None) | Err(_) => Ok(settings),
    }
}

/// The settings with private servers in `directory`.
pub(crate) fn start(
    settings: Settings,
    directory: &PrivateDirectory,
    durable: bool,
) -> Result<(Settings, Servers)> {
    let options = if durable {
        PostgresOptions::durable(directory.clone())
    } else {
        PostgresOptions::fast(directory.clone())
    };
    let postgres = Postgres::start(options)?;
    let redis = Redis::start(RedisOptions { directory: directory.clone(), durable, tcp: false })?;
    let settings = naming(settings, &postgres.url(), &redis.url())?;
    Ok((settings, Servers { _postgres: postgres, _redis: redis }))
}

fn naming(mut settings: Settings, postgres_url: &str, redis_url: &str) -> Result<Settings> {
    settings.database = Some(Endpoint::parse(postgres_url)?);
    settings.redis = Some(Endpoint::parse(redis_url)?);
    Ok(settings)
}
