//! `REDIS_URL`, as it is handed to the driver.

use url::Url;

use super::database::{parameters, passed_over};
use super::locality::is_here;
use super::{ConfigError, Endpoint};
use crate::is_word;

const VARIABLE: &str = "REDIS_URL";

/// Parameters that the driver knows, by TCP and by socket.
const BY_TCP: &str = "protocol";
const BY_SOCKET: &str = "db pass protocol user";

/// Checks the URL of Redis, and warns of its weaknesses.
pub(super) fn read(
    endpoint: Endpoint,
    warnings: &mut Vec<String>,
) -> Result<Endpoint, ConfigError> {
    let url = endpoint.expose();
    // `#insecure` would take any certificate for the right one.
    if url.fragment().is_some() {
        return Err(ConfigError::variable(VARIABLE, "must not have a fragment, from # on"));
    }
    let right = |value: &str| matches!(value, "2" | "resp2" | "3" | "resp3");
    if url.query_pairs().any(|(name, value)| name == "protocol" && !right(&value)) {
        return Err(ConfigError::variable(VARIABLE, "protocol has to be resp2 or resp3"));
    }
    if is_readable_by_others(url) {
        warnings.push(format!(
            "{VARIABLE}: the password is sent to {} in the clear; use rediss://",
            url.host_str().unwrap_or_default()
        ));
    }
    let by_tcp = matches!(url.scheme(), "redis" | "rediss");
    let known = if by_tcp { BY_TCP } else { BY_SOCKET };
    let (kept, dropped) = parameters(url, |name| is_word(known, name));
    if dropped.is_empty() {
        return Ok(endpoint);
    }
    warnings.extend(passed_over(VARIABLE, &dropped));
    Ok(endpoint.with_query(&kept.join("&")))
}

fn is_readable_by_others(url: &Url) -> bool {
    let has_password = url.password().is_some_and(|password| !password.is_empty());
    url.scheme() == "redis" && has_password && !url.host_str().is_some_and(is_here)
}
