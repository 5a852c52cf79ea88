//! Resolves names for the sender and hands on permitted addresses only, so that it connects to a
//! checked address: a name cannot answer differently a moment later (DNS rebinding).
//!
//! A literal address never comes here, because HTTP clients do not resolve it:
//! [`Senders`](crate::senders::Senders) has its kind judge it before each attempt.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::sync::Arc;

use actions::policy::{DestinationPolicy, RefusedAddress};
use futures::future::BoxFuture;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use tokio::net::UdpSocket;
use url::{Host, Url};

use crate::lack::{Lack, LookupLacked, RESOLVERS};

/// More addresses of one name are neither tried nor listed in an error.
const ADDRESSES_MAX: usize = 16;

/// A port for a look at routes, which do not depend on it.
const PROBED: u16 = 443;

/// Looks the addresses of a host up; ports are 0.
pub type Lookup =
    Arc<dyn Fn(String) -> BoxFuture<'static, io::Result<Vec<SocketAddr>>> + Send + Sync>;

/// The system's own lookup (`getaddrinfo`), which says when it failed for want of something of this
/// machine.
pub fn system_lookup() -> Lookup {
    Arc::new(|host| {
        Box::pin(async move {
            match tokio::net::lookup_host((host, 0)).await {
                Ok(found) => Ok(found.collect()),
                Err(source) => Err(match Lack::of_lookup(&source, Path::new(RESOLVERS)) {
                    Some(lack) => io::Error::other(LookupLacked { lack, source }),
                    None => source,
                }),
            }
        })
    })
}

/// True if this machine has a route to each of the destination's addresses. Nothing is sent:
/// connecting a datagram's socket only looks at routes.
pub(crate) async fn has_way_to(url: &Url, lookup: &Lookup) -> bool {
    let addresses = match url.host() {
        Some(Host::Ipv4(address)) => vec![IpAddr::from(address)],
        Some(Host::Ipv6(address)) => vec![IpAddr::from(address)],
        Some(Host::Domain(name)) => match lookup(name.to_owned()).await {
            Ok(found) => found.iter().map(SocketAddr::ip).collect(),
            Err(_) => return false,
        },
        None => return false,
    };
    for address in addresses {
        let own = if address.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
        let connected = async { UdpSocket::bind(own).await?.connect((address, PROBED)).await };
        if connected.await.is_err() {
            return false;
        }
    }
    true
}

/// A resolver that knows permitted addresses only.
pub struct PermittedResolver {
    policy: Arc<DestinationPolicy>,
    lookup: Lookup,
}

/// A name without any permitted address. Names change: another attempt may find another address.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct RefusedName(String);

impl PermittedResolver {
    /// Filters the addresses that `lookup` finds by `policy`.
    pub fn new(policy: DestinationPolicy, lookup: Lookup) -> Self {
        Self { policy: Arc::new(policy), lookup }
    }
}

impl Resolve for PermittedResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let host = name.as_str().to_owned();
        let policy = Arc::clone(&self.policy);
        let lookup = (self.lookup)(host.clone());
        Box::pin(async move {
            let found = lookup.await?;
            let (mut permitted, refused): (Vec<_>, Vec<_>) =
                found.into_iter().partition(|address| policy.permits(address.ip()));
            if permitted.is_empty() {
                let refused = refused.iter().take(ADDRESSES_MAX);
                let refused = refused.map(|address| RefusedAddress(address.ip()).to_string());
                let sentence = match &refused.collect::<Vec<_>>()[..] {
                    [] => format!("{host} has no address"),
                    found => format!("{host} was refused, for it leads to {}", found.join(", ")),
                };
                return Err(RefusedName(sentence).into());
            }
            permitted.truncate(ADDRESSES_MAX);
            Ok(Box::new(permitted.into_iter()) as Addrs)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn resolve(allowed: &str, lookup: Lookup, host: &str) -> Result<Vec<IpAddr>, String> {
        let networks = allowed.split_terminator(',').map(|it| it.parse().expect("a network"));
        let policy = DestinationPolicy::new(networks.collect());
        let resolver = PermittedResolver::new(policy, lookup);
        let found = resolver.resolve(host.parse().expect("a name")).await;
        found.map(|found| found.map(|address| address.ip()).collect()).map_err(|e| e.to_string())
    }

    fn answering(addresses: &[&str]) -> Lookup {
        let parse = |address: &&str| SocketAddr::new(address.parse().expect("an address"), 0);
        let found: Vec<_> = addresses.iter().map(parse).collect();
        Arc::new(move |_| Box::pin(std::future::ready(Ok(found.clone()))))
    }

    #[tokio::test]
    async fn of_mixed_addresses_only_the_permitted_ones_are_handed_on() {
        let mixed = answering(&["10.0.0.1", "1.1.1.1", "::1", "2606:4700::1111", "::ffff:8.8.8.8"]);
        let permitted = resolve("", mixed, "mixed.example").await.expect("two remain");
        let public: [IpAddr; 2] =
            ["1.1.1.1", "2606:4700::1111"].map(|address| address.parse().expect("an address"));
        assert_eq!(permitted, public);
    }

    #[tokio::test]
    async fn a_name_without_a_permitted_address_is_refused_with_them() {
        let private = answering(&["10.0.0.1", "fe80::1"]);
        assert_eq!(
            resolve("", private, "inside.example").await,
            Err("inside.example was refused, for it leads to 10.0.0.1 (private, RFC 1918), \
                 fe80::1 (link-local, RFC 4291)"
                .to_owned())
        );
        assert_eq!(
            resolve("", answering(&[]), "nowhere.example").await,
            Err("nowhere.example has no address".to_owned())
        );
    }

    #[tokio::test]
    async fn localhost_is_refused_unless_its_addresses_are_allowed() {
        let refused = resolve("", system_lookup(), "localhost").await.expect_err("refused");
        assert!(refused.starts_with("localhost was refused, for it leads to "), "{refused}");
        let allowed = resolve("127.0.0.0/8,::1/128", system_lookup(), "localhost").await;
        assert!(allowed.expect("allowed").iter().all(IpAddr::is_loopback));
    }

    #[tokio::test]
    async fn a_failed_lookup_is_told_as_it_is() {
        let failing: Lookup =
            Arc::new(|_| Box::pin(std::future::ready(Err(io::Error::other("no such name")))));
        assert_eq!(resolve("", failing, "x.example").await, Err("no such name".to_owned()));
    }

    #[tokio::test]
    async fn a_name_with_very_many_addresses_is_cut() {
        let many: Vec<_> = (0..100).map(|n| format!("1.1.1.{n}")).collect();
        let many = answering(&many.iter().map(String::as_str).collect::<Vec<_>>());
        assert_eq!(resolve("", many, "many.example").await.expect("public").len(), ADDRESSES_MAX);
    }
}
