//! Variables that Kubernetes gives every container of a namespace for each Service in it.
//!
//! A Service called `agentauri` or `agentauri-…` makes names that begin as ours do. A variable with
//! such a name and such a value is no mistake:
//! <https://kubernetes.io/docs/concepts/services-networking/service/#environment-variables>.

use std::net::IpAddr;

/// Kubernetes' bound of a Service's name (RFC 1035, a label), and of a port's.
const LABEL_CHARS_MAX: usize = 63;
const PROTOCOLS: [&str; 3] = ["tcp", "udp", "sctp"];

/// True if a Service of Kubernetes makes this variable with this value.
pub(super) fn is_one(name: &str, value: &str) -> bool {
    // A Service's own name may have parts such as `port` in it, so each cut is tried.
    let cuts = name.match_indices('_').map(|(at, _)| name.split_at(at));
    cuts.filter(|(service, _)| is_service(service)).any(|(_, rest)| is_form(rest, value))
}

/// `AGENTAURI`, or that and more.
fn is_service(name: &str) -> bool {
    let Some(rest) = name.strip_prefix("AGENTAURI") else { return false };
    rest.is_empty() || rest.starts_with('_') && !rest.ends_with('_') && is_label(name)
}

/// In upper case, with `_` for `-`.
fn is_label(text: &str) -> bool {
    let right = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_';
    !text.is_empty() && text.len() <= LABEL_CHARS_MAX && text.bytes().all(right)
}

fn is_form(rest: &str, value: &str) -> bool {
    if rest == "_SERVICE_HOST" {
        return value.parse::<IpAddr>().is_ok();
    }
    if let Some(port) = rest.strip_prefix("_SERVICE_PORT") {
        let named = |name: &str| is_label(name) && !name.starts_with('_') && !name.ends_with('_');
        let is_one = port.is_empty() || port.strip_prefix('_').is_some_and(named);
        return is_one && port_number(value).is_some();
    }
    if rest == "_PORT" {
        return address(value).is_some();
    }
    rest.strip_prefix("_PORT_").is_some_and(|port| is_port(port, value))
}

/// `6379_TCP`, and that with `_ADDR`, `_PORT` or `_PROTO`.
fn is_port(name: &str, value: &str) -> bool {
    let mut parts = name.split('_');
    let (Some(number), Some(protocol)) = (parts.next(), parts.next()) else { return false };
    let (part, more) = (parts.next(), parts.next());
    let Some(number) = port_number(number).filter(|_| more.is_none()) else { return false };
    let Some(protocol) = PROTOCOLS.into_iter().find(|known| known.to_uppercase() == protocol)
    else {
        return false;
    };
    match part {
        None => address(value) == Some((protocol, number)),
        Some("ADDR") => value.parse::<IpAddr>().is_ok(),
        Some("PORT") => port_number(value) == Some(number),
        Some("PROTO") => value == protocol,
        Some(_) => false,
    }
}

/// Protocol and port of `tcp://10.0.0.11:6379` or `tcp://[fd00::1]:6379`.
fn address(value: &str) -> Option<(&'static str, u16)> {
    let (protocol, rest) = value.split_once("://")?;
    let protocol = PROTOCOLS.into_iter().find(|known| *known == protocol)?;
    let (host, port) = rest.rsplit_once(':')?;
    let right = match host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
        Some(v6) => v6.parse::<std::net::Ipv6Addr>().is_ok(),
        None => host.parse::<std::net::Ipv4Addr>().is_ok(),
    };
    Some((protocol, port_number(port).filter(|_| right)?))
}

/// As Kubernetes writes it: without sign or leading zeros.
fn port_number(text: &str) -> Option<u16> {
    let number: u16 = text.parse().ok()?;
    (number > 0 && number.to_string() == text).then_some(number)
}

#[cfg(test)]
#[path = "service_links_tests.rs"]
mod tests;
