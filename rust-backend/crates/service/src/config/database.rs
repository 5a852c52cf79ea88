//! `DATABASE_URL`, as it is handed to the driver.
//!
//! The driver has three habits that would leak a password. Without an `sslmode` it takes `prefer`:
//! a machine in between says that there is no TLS, and is given the password. It logs parameters
//! that it does not know, with their values. And a value of libpq's variables that it does not
//! understand (a blank at the end) means `prefer` again. So it is handed a URL that names host and
//! mode, and only parameters that it knows.

use url::Url;
use url::form_urlencoded;

use super::environment::Environment;
use super::locality::is_here;
use super::{ConfigError, Endpoint};
use crate::is_word;

/// Parameters that the driver knows, apart from `options[…]`.
const KNOWN: &str = "application_name dbname host hostaddr options password port ssl-ca ssl-cert \
                     ssl-key ssl-mode ssl-root-cert sslcert sslkey sslmode sslrootcert \
                     statement-cache-capacity user";
/// Names by which clients are told a schema.
const SCHEMA: &str = "currentSchema options[search_path] schema search_path";
const MODES: [&str; 6] = ["disable", "allow", "prefer", "require", "verify-ca", "verify-full"];

type Result<T> = std::result::Result<T, ConfigError>;

/// Completes the URL of PostgreSQL, and warns of parameters that are passed over.
pub(super) fn read(
    endpoint: Endpoint,
    environment: &Environment,
    warnings: &mut Vec<String>,
) -> Result<Endpoint> {
    let url = endpoint.expose();
    refuse_other_schema(url, environment)?;
    let (mut query, dropped) = parameters(url, |name| is_word(KNOWN, name) || is_option(name));
    let of_variables = [
        host(url, environment).map(|host| ("host", host.to_owned())),
        port(url, environment)?.map(|port| ("port", port.to_string())),
        mode(url, environment)?.map(|mode| ("sslmode", mode)),
    ];
    let added: Vec<_> = of_variables.into_iter().flatten().collect();
    if dropped.is_empty() && added.is_empty() {
        return Ok(endpoint);
    }
    warnings.extend(passed_over("DATABASE_URL", &dropped));
    query.extend(added.into_iter().map(|(name, value)| {
        form_urlencoded::Serializer::new(String::new()).append_pair(name, &value).finish()
    }));
    Ok(endpoint.with_query(&query.join("&")))
}

/// Refuses a parameter that asks for another schema than public: it would be passed over, and the
/// tables would not lie where the operator looks for them.
fn refuse_other_schema(url: &Url, environment: &Environment) -> Result<()> {
    let is_other = |path: &str| {
        let first = path.split(',').next().unwrap_or_default();
        first.trim_matches([' ', '"', '\'', '\\']) != "public"
    };
    // As in `-c search_path=app,public`.
    let in_options = |text: &str| {
        let path = text.split_once("search_path=").map(|(_, rest)| rest.to_owned());
        path.is_some_and(|path| is_other(path.split_whitespace().next().unwrap_or_default()))
    };
    let refuse = |name: &str, key: &str| {
        let reason = format!(
            "{key}: all of our tables lie in schema public; leave it out, or name a database of \
             its own"
        );
        Err(ConfigError::variable(name, reason))
    };
    for (name, value) in url.query_pairs() {
        let is_refused = match name.as_ref() {
            "options" => in_options(&value),
            name => is_word(SCHEMA, name) && is_other(&value),
        };
        if is_refused {
            return refuse("DATABASE_URL", &name);
        }
    }
    match environment.text("PGOPTIONS") {
        Some(text) if in_options(text) => refuse("PGOPTIONS", "search_path"),
        _ => Ok(()),
    }
}

fn is_option(name: &str) -> bool {
    name.strip_prefix("options[").is_some_and(|rest| rest.ends_with(']'))
}

fn names(url: &Url, parameters: &[&str]) -> bool {
    url.query_pairs().any(|(name, _)| parameters.contains(&name.as_ref()))
}

/// The mode where the URL has no `sslmode`: that of libpq's variable, else the safe one.
fn mode(url: &Url, environment: &Environment) -> Result<Option<String>> {
    let right = |mode: &str| {
        let mode = mode.to_ascii_lowercase();
        MODES.contains(&mode.as_str()).then_some(mode)
    };
    let refuse = |name: &str, key: &str| {
        let reason = format!("{key}has to be one of {}", MODES.join(", "));
        Err(ConfigError::variable(name, reason))
    };
    let mut modes = url.query_pairs().filter(|(name, _)| matches!(&**name, "sslmode" | "ssl-mode"));
    if modes.any(|(_, mode)| right(&mode).is_none()) {
        return refuse("DATABASE_URL", "sslmode ");
    }
    let written = environment.text("PGSSLMODE").map(right);
    match written {
        Some(None) => refuse("PGSSLMODE", ""),
        _ if names(url, &["sslmode", "ssl-mode"]) => Ok(None),
        Some(mode) => Ok(mode),
        None => Ok((!is_local(url, environment)).then(|| "verify-full".to_owned())),
    }
}

/// The host of libpq's variables, where the URL has no host.
fn host<'e>(url: &Url, environment: &'e Environment) -> Option<&'e str> {
    if url.host_str().is_some() || names(url, &["host", "hostaddr"]) {
        return None;
    }
    environment.text("PGHOSTADDR").or_else(|| environment.text("PGHOST"))
}

/// The port of libpq's variable, likewise.
fn port(url: &Url, environment: &Environment) -> Result<Option<u16>> {
    if url.port().is_some() || names(url, &["port"]) {
        return Ok(None);
    }
    let port = environment.text("PGPORT").map(str::parse).transpose();
    port.map_err(|_| ConfigError::variable("PGPORT", "has to be a number from 0 to 65535"))
}

/// True if the driver stays on this machine. It takes a socket wherever one is named, else the last
/// host of the URL, else that of libpq's variables.
fn is_local(url: &Url, environment: &Environment) -> bool {
    let mut host = host(url, environment).unwrap_or("localhost").to_owned();
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

/// The known parameters of a query as they are written, and the names of the others.
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

/// The name, unless it may be the end of a password that should have been escaped: it has no value,
/// or other characters than a name.
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
