//! `DATABASE_URL`, as it is handed to the driver.
//!
//! The driver takes `prefer` where no `sslmode` is written: whoever stands in between says that
//! there is no TLS, and is given the password. And it logs parameters that it does not know, with
//! their values. So what it is given says how to encrypt, and holds only what it knows.

use url::Url;
use url::form_urlencoded;

use super::environment::Environment;
use super::locality::is_here;
use super::{ConfigError, Endpoint};

/// Parameters that the driver knows, apart from `options[…]`.
const KNOWN: [&str; 18] = [
    "application_name",
    "dbname",
    "host",
    "hostaddr",
    "options",
    "password",
    "port",
    "ssl-ca",
    "ssl-cert",
    "ssl-key",
    "ssl-mode",
    "ssl-root-cert",
    "sslcert",
    "sslkey",
    "sslmode",
    "sslrootcert",
    "statement-cache-capacity",
    "user",
];
const MODES: [&str; 6] = ["disable", "allow", "prefer", "require", "verify-ca", "verify-full"];

type Result<T> = std::result::Result<T, ConfigError>;

/// A connection to PostgreSQL, and what is to be said of it.
pub(super) fn read(
    endpoint: Endpoint,
    environment: &Environment,
    warnings: &mut Vec<String>,
) -> Result<Endpoint> {
    let url = endpoint.expose();
    let written = is_mode_written(url, environment)?;
    let verified = !written && !is_local(url, environment);
    let (mut query, dropped) = parameters(url, |name| KNOWN.contains(&name) || is_option(name));
    if dropped.is_empty() && !verified {
        return Ok(endpoint);
    }
    warnings.extend(passed_over("DATABASE_URL", &dropped));
    if verified {
        query.push("sslmode=verify-full".to_owned());
    }
    Ok(endpoint.with_query(&query.join("&")))
}

fn is_option(name: &str) -> bool {
    name.strip_prefix("options[").is_some_and(|rest| rest.ends_with(']'))
}

/// Whether somebody has said how to encrypt, in the URL or by libpq's variable.
fn is_mode_written(url: &Url, environment: &Environment) -> Result<bool> {
    let right = |mode: &str| MODES.contains(&mode.to_ascii_lowercase().as_str());
    let refuse = |name: &str, key: &str| {
        let reason = format!("{key}has to be one of {}", MODES.join(", "));
        Err(ConfigError::variable(name, reason))
    };
    let mut modes = url.query_pairs().filter(|(name, _)| matches!(&**name, "sslmode" | "ssl-mode"));
    let mut written = false;
    if modes.any(|(_, mode)| {
        written = true;
        !right(&mode)
    }) {
        return refuse("DATABASE_URL", "sslmode ");
    }
    match environment.text("PGSSLMODE") {
        Some(mode) if !right(mode) => refuse("PGSSLMODE", ""),
        Some(_) => Ok(true),
        None => Ok(written),
    }
}

/// Whether the driver stays on this machine. It takes a socket wherever one is named, else the host
/// that is named last, and without any that of libpq's variables.
fn is_local(url: &Url, environment: &Environment) -> bool {
    let fallback = environment.text("PGHOSTADDR").or_else(|| environment.text("PGHOST"));
    let mut host = fallback.unwrap_or("localhost").to_owned();
    if let Some(named) = url.host_str() {
        if named.get(..3).is_some_and(|first| first.eq_ignore_ascii_case("%2f")) {
            return true;
        }
        named.clone_into(&mut host);
    }
    for (name, value) in url.query_pairs() {
        match name.as_ref() {
            "host" if value.starts_with('/') => return true,
            "host" | "hostaddr" => host = value.into_owned(),
            _ => {}
        }
    }
    is_here(&host)
}

/// The parameters of a query as they are written: those that are known, and the names of others.
pub(super) fn parameters(url: &Url, is_known: impl Fn(&str) -> bool) -> (Vec<String>, Vec<String>) {
    let (mut kept, mut dropped) = (Vec::new(), Vec::new());
    for part in url.query().unwrap_or_default().split('&').filter(|part| !part.is_empty()) {
        let Some((name, _)) = form_urlencoded::parse(part.as_bytes()).next() else { continue };
        if is_known(&name) {
            kept.push(part.to_owned());
        } else {
            dropped.push(shown(&name, part.contains('=')));
        }
    }
    (kept, dropped)
}

/// What is no name, or has no value, may be the end of a password that should have been escaped.
fn shown(name: &str, has_value: bool) -> String {
    let right = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte);
    let is_name = has_value && name.len() <= 40 && name.bytes().all(right);
    if is_name { name.to_owned() } else { "one that has no name".to_owned() }
}

/// One line for all of them, without their values.
pub(super) fn passed_over(variable: &str, names: &[String]) -> Option<String> {
    if names.is_empty() {
        return None;
    }
    Some(format!("{variable}: parameters that are not known are passed over: {}", names.join(", ")))
}
