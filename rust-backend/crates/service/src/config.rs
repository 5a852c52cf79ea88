//! The configuration: the environment and one TOML file, read once at start.
//! `docs/development/setup.md` lists the variables.
//!
//! An empty variable counts as not set. A name that begins with `AGENTAURI_` and is not known is
//! refused, as a mistyped one would be ignored silently; variables that Kubernetes makes of a
//! Service of that name are passed over.

mod chain;
mod database;
mod document;
mod endpoint;
mod environment;
mod error;
mod exposure;
mod locality;
mod redis;
mod service_links;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{ErrorKind, Read as _};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use event_engine::delivery::retry::RetrySchedule;
use ipnet::IpNet;

pub use self::chain::{
    ANSWER_BYTES_MAX, ChainSettings, ChainWriter, ContractAddress, NotAnAddress, Preset,
    Registries, Registry, RpcUrl, StartBlock, presets,
};
use self::document::Source;
pub use self::endpoint::Endpoint;
use self::environment::Environment;
pub use self::error::ConfigError;
pub use self::exposure::is_open_to_others;
use crate::mask::{self, Masker};

/// The file that is read when none is named.
const FILE: &str = "agentauri.toml";

/// The largest file in bytes: thousands of chains.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// Address of `/health` and `/ready`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Listen {
    /// On loopback, on the process's own port if it is free.
    #[default]
    Default,
    /// Nowhere.
    Off,
    /// There; it is an error if that does not work.
    At(SocketAddr),
}

/// All settings. Debug shows no secrets.
#[derive(Clone, Debug)]
pub struct Settings {
    /// `DATABASE_URL`. Processes that need it ask for [`Self::database_url`].
    pub database: Option<Endpoint>,
    /// `REDIS_URL`. Processes that need it ask for [`Self::redis_url`].
    pub redis: Option<Endpoint>,
    /// `RUST_LOG`, not parsed yet.
    pub rust_log: Option<String>,
    /// True if `NO_COLOR` is set.
    pub no_color: bool,
    /// Networks that webhooks may reach although they are private.
    pub allow_private_destinations: Vec<IpNet>,
    /// The directory of secrets in files; it exists.
    pub secrets_dir: Option<PathBuf>,
    /// The pause before each attempt, the first one's too; `None`: Standard Webhooks' schedule.
    pub retry_schedule: Option<RetrySchedule>,
    /// Address of health.
    pub listen: Listen,
    /// Time for work under way to end.
    pub shutdown_max: Duration,
    /// The chains of the file, in its order.
    pub chains: Vec<ChainSettings>,
    /// Weaknesses that are not refused, a sentence each, without secrets. [`crate::logs`] writes
    /// them when it begins.
    pub warnings: Vec<String>,
}

impl Settings {
    /// Reads the environment and the file of this process.
    pub fn load() -> Result<Self, ConfigError> {
        let mut variables = Vec::new();
        for (name, value) in std::env::vars_os() {
            let Ok(name) = name.into_string() else { continue };
            match value.into_string() {
                Ok(value) => variables.push((name, value)),
                Err(_) if is_read_here(&name) => {
                    return Err(ConfigError::variable(name, "is not UTF-8"));
                }
                Err(_) => {}
            }
        }
        Self::from(variables.into_iter(), Path::new(""))
    }

    /// Reads the given environment, and the file relative to `working_directory`.
    pub fn from(
        variables: impl Iterator<Item = (String, String)>,
        working_directory: &Path,
    ) -> Result<Self, ConfigError> {
        let mut warnings = Vec::new();
        let environment = Environment::new(variables);
        let database = environment.database(&mut warnings)?;
        let redis = environment.redis(&mut warnings)?;
        let allow_private_destinations = environment.allow_private_destinations()?;
        warnings.extend(exposure::networks(&allow_private_destinations));
        let secrets_dir = environment.secrets_dir()?;
        warnings.extend(secrets_dir.as_deref().and_then(exposure::secrets));
        let named = environment.text("AGENTAURI_CONFIG");
        let chains = chains(named, working_directory, &environment, &mut warnings)?;
        environment.refuse_unknown(&mut warnings)?;
        warnings.extend(exposure::nodes(&chains));
        Ok(Self {
            database,
            redis,
            rust_log: environment.text("RUST_LOG").map(str::to_owned),
            no_color: environment.text("NO_COLOR").is_some(),
            allow_private_destinations,
            secrets_dir,
            retry_schedule: environment.retry_schedule()?,
            listen: environment.listen()?,
            shutdown_max: environment.shutdown()?,
            chains,
            warnings,
        })
    }

    /// True if neither a database nor a Redis is named.
    pub fn names_no_servers(&self) -> bool {
        self.database.is_none() && self.redis.is_none()
    }

    /// The ids of the chains by their names.
    pub fn chain_ids(&self) -> BTreeMap<String, i64> {
        self.chains.iter().map(|chain| (chain.name.clone(), chain.id.0)).collect()
    }

    /// Knows the secrets of all URLs that are configured.
    pub fn masker(&self) -> Masker {
        let nodes = self.chains.iter().flat_map(|chain| &chain.rpc_urls);
        let servers = self.database.iter().chain(&self.redis).map(Endpoint::expose);
        Masker::hiding(nodes.flat_map(RpcUrl::secrets).chain(servers.flat_map(mask::secrets)))
    }

    /// The database's URL, password included. Fails, naming `DATABASE_URL`, if there is none.
    pub fn database_url(&self) -> Result<&str, ConfigError> {
        required(self.database.as_ref(), "DATABASE_URL")
    }

    /// The URL of Redis, password included. Fails, naming `REDIS_URL`, if there is none.
    pub fn redis_url(&self) -> Result<&str, ConfigError> {
        required(self.redis.as_ref(), "REDIS_URL")
    }
}

fn required<'a>(endpoint: Option<&'a Endpoint>, name: &str) -> Result<&'a str, ConfigError> {
    endpoint
        .map(|endpoint| endpoint.expose().as_str())
        .ok_or_else(|| ConfigError::variable(name, "is not set, and is needed here"))
}

fn is_read_here(name: &str) -> bool {
    let ours = name.starts_with("AGENTAURI_") && !name.starts_with("AGENTAURI_SECRET_");
    let libpqs = ["PGHOST", "PGHOSTADDR", "PGPORT", "PGSSLMODE"];
    ours || libpqs.contains(&name) || ["DATABASE_URL", "REDIS_URL", "RUST_LOG"].contains(&name)
}

/// Reads the file's chains. The usual file may be missing, a named one may not.
fn chains(
    named: Option<&str>,
    working_directory: &Path,
    environment: &Environment,
    warnings: &mut Vec<String>,
) -> Result<Vec<ChainSettings>, ConfigError> {
    let file = named.unwrap_or(FILE);
    let unreadable = |reason: String| match named {
        Some(_) => ConfigError::variable("AGENTAURI_CONFIG", format!("{file}: {reason}")),
        None => ConfigError::File { file: file.to_owned(), reason },
    };
    let mut text = String::new();
    let read = File::open(working_directory.join(file)).and_then(|opened| {
        let metadata = opened.metadata()?;
        let length = opened.take(FILE_BYTES_MAX + 1).read_to_string(&mut text)?;
        Ok((length, metadata))
    });
    match read {
        Ok((length, _)) if length as u64 > FILE_BYTES_MAX => {
            Err(unreadable(format!("is larger than {FILE_BYTES_MAX} bytes")))
        }
        Ok((_, metadata)) => {
            let chains = chain::read(Source { file, text: &text }, environment)?;
            warnings.extend(exposure::keys(file, &metadata, &chains));
            Ok(chains)
        }
        Err(error) if named.is_none() && error.kind() == ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(unreadable(error.to_string())),
    }
}
