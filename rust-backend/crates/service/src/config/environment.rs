//! The environment's variables: their names and the meanings of their values.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use event_engine::delivery::retry::RetrySchedule;
use event_engine::event::spelling::nearest;
use ipnet::IpNet;

use super::{ConfigError, Endpoint, Listen, database, redis, service_links};

const PRIVATE_DESTINATIONS: &str = "AGENTAURI_ALLOW_PRIVATE_DESTINATIONS";

/// Every variable of ours that is read here.
pub(super) const KNOWN: [&str; 6] = [
    PRIVATE_DESTINATIONS,
    "AGENTAURI_CONFIG",
    "AGENTAURI_LISTEN",
    "AGENTAURI_RETRY_SCHEDULE",
    "AGENTAURI_SECRETS_DIR",
    "AGENTAURI_SHUTDOWN_SECONDS",
];

/// Variables of ours that others read: webhooks' secrets, and the tests.
const OTHERS: [&str; 3] = ["AGENTAURI_SECRET_", "AGENTAURI_TEST_", "AGENTAURI_TIMESCALEDB_ROOT"];

/// Schemes of a database's URL.
const POSTGRES: &[&str] = &["postgres", "postgresql"];

/// Schemes of a Redis's URL.
const REDIS: &[&str] = &["redis", "rediss", "redis+unix", "unix"];

/// The longest shutdown in seconds: longer than any supervisor waits.
const SHUTDOWN_SECONDS_MAX: u64 = 3_600;
const SHUTDOWN_SECONDS: u64 = 10;

/// The variables that are set and not empty.
pub(super) struct Environment {
    variables: BTreeMap<String, String>,
    /// The names that the file's own text has.
    inserted: RefCell<BTreeSet<String>>,
}

type Result<T> = std::result::Result<T, ConfigError>;

impl Environment {
    pub(super) fn new(variables: impl Iterator<Item = (String, String)>) -> Self {
        let variables = variables.filter(|(_, value)| !value.trim().is_empty()).collect();
        Self { variables, inserted: RefCell::default() }
    }

    /// Refuses unknown variables that look like ours, unless the file names them or Kubernetes
    /// makes them of a Service.
    pub(super) fn refuse_unknown(&self, warnings: &mut Vec<String>) -> Result<()> {
        let (mut passed_over, inserted) = (Vec::new(), self.inserted.borrow());
        let ours = |(name, _): &(&String, &String)| name.starts_with("AGENTAURI_");
        for (name, value) in self.variables.iter().filter(ours) {
            let known = KNOWN.contains(&name.as_str()) || inserted.contains(name);
            if known || OTHERS.iter().any(|other| name.starts_with(other)) {
                continue;
            }
            if !service_links::is_one(name, value) {
                return Err(ConfigError::variable(name, unknown(name)));
            }
            passed_over.push(name.as_str());
        }
        if let Some(first) = passed_over.first() {
            warnings.push(format!(
                "{} variables are a Kubernetes Service's and are passed over, {first} among them",
                passed_over.len()
            ));
        }
        Ok(())
    }

    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.variables.get(name).map(|value| value.trim())
    }

    /// The value for a place of the file's own text.
    pub(super) fn inserted(&self, name: &str) -> Option<&str> {
        self.inserted.borrow_mut().insert(name.to_owned());
        self.text(name)
    }

    pub(super) fn database(&self, warnings: &mut Vec<String>) -> Result<Option<Endpoint>> {
        let endpoint = self.endpoint("DATABASE_URL", POSTGRES)?;
        endpoint.map(|endpoint| database::read(endpoint, self, warnings)).transpose()
    }

    pub(super) fn redis(&self, warnings: &mut Vec<String>) -> Result<Option<Endpoint>> {
        let endpoint = self.endpoint("REDIS_URL", REDIS)?;
        endpoint.map(|endpoint| redis::read(endpoint, warnings)).transpose()
    }

    fn endpoint(&self, name: &str, schemes: &[&str]) -> Result<Option<Endpoint>> {
        let Some(text) = self.text(name) else { return Ok(None) };
        // The text may hold a password, so it is not quoted.
        let endpoint = Endpoint::parse(text)
            .map_err(|error| ConfigError::variable(name, format!("is not a URL: {error}")))?;
        let scheme = endpoint.expose().scheme();
        if schemes.contains(&scheme) {
            return Ok(Some(endpoint));
        }
        let wanted = schemes.join(":// or ");
        Err(ConfigError::variable(name, format!("has to begin with {wanted}://")))
    }

    pub(super) fn allow_private_destinations(&self) -> Result<Vec<IpNet>> {
        entries(self.text(PRIVATE_DESTINATIONS)).map(network).collect()
    }

    pub(super) fn secrets_dir(&self) -> Result<Option<PathBuf>> {
        let name = "AGENTAURI_SECRETS_DIR";
        let Some(text) = self.text(name) else { return Ok(None) };
        let path = PathBuf::from(text);
        if path.is_dir() {
            return Ok(Some(path));
        }
        Err(ConfigError::variable(name, format!("{text} is not a directory that can be read")))
    }

    pub(super) fn retry_schedule(&self) -> Result<Option<RetrySchedule>> {
        let name = "AGENTAURI_RETRY_SCHEDULE";
        let read = self.text(name).map(str::parse::<RetrySchedule>).transpose();
        read.map_err(|error| ConfigError::variable(name, error.to_string()))
    }

    pub(super) fn listen(&self) -> Result<Listen> {
        let name = "AGENTAURI_LISTEN";
        match self.text(name) {
            None => Ok(Listen::Default),
            Some("off") => Ok(Listen::Off),
            Some(text) => text.parse::<SocketAddr>().map(Listen::At).map_err(|_| {
                let reason =
                    format!("{text:?} is neither off nor an address such as 127.0.0.1:9464");
                ConfigError::variable(name, reason)
            }),
        }
    }

    pub(super) fn shutdown(&self) -> Result<Duration> {
        let name = "AGENTAURI_SHUTDOWN_SECONDS";
        let Some(text) = self.text(name) else { return Ok(Duration::from_secs(SHUTDOWN_SECONDS)) };
        let seconds = text.parse().ok().filter(|seconds| *seconds <= SHUTDOWN_SECONDS_MAX);
        seconds.map(Duration::from_secs).ok_or_else(|| {
            let reason = format!("{text:?} is not a number from 0 to {SHUTDOWN_SECONDS_MAX}");
            ConfigError::variable(name, reason)
        })
    }
}

/// The entries of a list with commas. A comma at the end is forgiven; an empty entry between two
/// is handed on and refused.
fn entries(text: Option<&str>) -> impl Iterator<Item = &str> {
    text.unwrap_or_default().split_terminator(',').map(str::trim)
}

fn network(entry: &str) -> Result<IpNet> {
    let hint = match (entry.parse::<IpNet>(), entry.parse::<IpAddr>()) {
        (Ok(network), _) if network.trunc() == network => return Ok(network),
        (Ok(network), _) => format!("; write {}", network.trunc()),
        (_, Ok(address)) => format!("; write {}", IpNet::from(address)),
        _ => String::new(),
    };
    let reason = format!("{entry:?} is not a network such as 10.0.0.0/8 or fd00::/8{hint}");
    Err(ConfigError::variable(PRIVATE_DESTINATIONS, reason))
}

fn unknown(name: &str) -> String {
    match nearest(name, KNOWN) {
        Some(known) => format!("there is no such variable; did you mean {known}?"),
        None => format!("there is no such variable; there are {}", KNOWN.join(", ")),
    }
}
