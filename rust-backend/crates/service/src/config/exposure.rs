//! Weaknesses of the configuration: each is a line of the log at the start, and is not refused.

use std::fs::{self, Metadata};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use ipnet::IpNet;

use super::locality::is_here;
use super::{ChainSettings, RpcUrl};
use crate::escape::escape;

/// Files of a directory of secrets that are looked at.
const FILES_MAX: usize = 10_000;
/// Names that a line has room for.
const NAMES_MAX: usize = 8;
/// Wider networks are more than an operator's own: `10.0.0.0/8` and `fc00::/7` are the widest.
const PREFIX_MIN_V4: u8 = 8;
const PREFIX_MIN_V6: u8 = 7;

/// True if others than its owner may read or change a file of secrets; the group of a file of root
/// may read it. The rule of PostgreSQL for a server's key.
pub fn is_open_to_others(file: &Metadata) -> bool {
    let group = if file.uid() == 0 { 0o040 } else { 0 };
    file.mode() & 0o077 & !group != 0
}

/// Secrets' files that others may read.
pub(super) fn secrets(directory: &Path) -> Option<String> {
    let mut open: Vec<String> = fs::read_dir(directory)
        .ok()?
        .take(FILES_MAX)
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter(|name| !name.starts_with('.'))
        .filter(|name| {
            let file = fs::metadata(directory.join(name));
            file.is_ok_and(|file| file.is_file() && is_open_to_others(&file))
        })
        .collect();
    open.sort();
    let reason = "may be read by others than its owner; chmod 600";
    listed("AGENTAURI_SECRETS_DIR: a secret's file", &open, reason)
}

/// A configuration file with keys of nodes that others may read.
pub(super) fn keys(name: &str, file: &Metadata, chains: &[ChainSettings]) -> Option<String> {
    let has_keys = chains.iter().flat_map(|chain| &chain.rpc_urls).any(RpcUrl::has_key_in_file);
    (has_keys && is_open_to_others(file)).then(|| {
        format!("{name}: has keys of nodes, and may be read by others than its owner; chmod 600")
    })
}

/// Networks that leave webhooks free to go nearly anywhere.
pub(super) fn networks(list: &Vec<IpNet>) -> Option<String> {
    // Two halves are a whole.
    let wide = IpNet::aggregate(list).into_iter().filter(|network| match network {
        IpNet::V4(network) => network.prefix_len() < PREFIX_MIN_V4,
        IpNet::V6(network) => network.prefix_len() < PREFIX_MIN_V6,
    });
    let wide: Vec<String> = wide.map(|network| network.to_string()).collect();
    let reason = "opens this machine and its neighbours to every webhook; list what is needed";
    listed("AGENTAURI_ALLOW_PRIVATE_DESTINATIONS:", &wide, reason)
}

/// Nodes elsewhere that are asked without TLS.
pub(super) fn nodes(chains: &[ChainSettings]) -> Option<String> {
    let mut plain = Vec::new();
    for chain in chains {
        for (index, url) in chain.rpc_urls.iter().enumerate() {
            let is_plain = matches!(url.expose().scheme(), "http" | "ws") && url.unset().is_none();
            if is_plain && !url.expose().host_str().is_some_and(is_here) {
                plain.push(format!("{} rpc_urls[{index}] ({url})", chain.name));
            }
        }
    }
    let reason = "is asked without encryption: who is in between reads the key and may answer \
                  for the node; use https or wss";
    listed("chains:", &plain, reason)
}

fn listed(what: &str, names: &[String], reason: &str) -> Option<String> {
    let shown = names.iter().take(NAMES_MAX).map(|name| escape(name, 120).to_string());
    let shown = shown.collect::<Vec<_>>().join(", ");
    match names.len().saturating_sub(NAMES_MAX) {
        _ if names.is_empty() => None,
        0 => Some(format!("{what} {shown} {reason}")),
        more => Some(format!("{what} {shown} and {more} more {reason}")),
    }
}
