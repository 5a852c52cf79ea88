//! Hosts of this machine.

use std::net::IpAddr;

/// True for an address of the loopback interface, `localhost` and the path of a socket: data sent
/// there stays here.
///
/// Other names are not: a name server may be asked for `localhost.` and names below it, and a
/// resolver reads spellings such as `127.1` as it likes.
pub(super) fn is_here(host: &str) -> bool {
    let within = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    let host = within.unwrap_or(host);
    if host.starts_with('/') || host.eq_ignore_ascii_case("localhost") {
        return true;
    }
    match host.parse() {
        Ok(IpAddr::V4(address)) => address.is_loopback(),
        Ok(IpAddr::V6(address)) => {
            address.is_loopback() || address.to_ipv4_mapped().is_some_and(|v4| v4.is_loopback())
        }
        Err(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_and_sockets_are_here_and_nothing_else_is() {
        for host in [
            "localhost",
            "LocalHost",
            "127.0.0.1",
            "127.255.0.9",
            "::1",
            "[::1]",
            "::ffff:127.0.0.1",
            "[::ffff:7f00:1]",
            "/run/postgresql",
        ] {
            assert!(is_here(host), "{host}");
        }
        for host in [
            "",
            "localhost.",
            "localhost.example.org",
            "a.localhost",
            "localhost,db",
            "127.1",
            "127.0.0.1.example.org",
            "127.0.0.1.",
            "128.0.0.1",
            "0.0.0.0",
            "::",
            "[::]",
            "::ffff:10.0.0.1",
            "::127.0.0.1",
            "10.0.0.1",
            "fe80::1",
            "db",
            "@abstract",
            "1",
        ] {
            assert!(!is_here(host), "{host}");
        }
    }
}
