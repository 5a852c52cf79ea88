//! Resolves names for the sender and hands on permitted addresses only, so that it connects to a
//! checked address: a name cannot answer differently a moment later (DNS rebinding).
//!
//! A literal address never comes here, because HTTP clients do not resolve it:
//! [`Senders`](crate::senders::Senders) has its kind judge it before each attempt.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::task::{Context, Poll};

use actions::policy::{DestinationPolicy, RefusedAddress};
use futures::future::BoxFuture;
use hyper_util::client::legacy::connect::dns::Name;
use tokio::net::UdpSocket;
use tower_service::Service;
use url::{Host, Url};

use super::names::NameLookups;

/// More addresses of one name are neither tried nor listed in an error.
const ADDRESSES_MAX: usize = 16;

/// A port for a look at routes, which do not depend on it.
const PROBED: u16 = 443;

/// True if this machine has a route to each of the destination's addresses. Nothing is sent:
/// connecting a datagram's socket only looks at routes.
pub(crate) async fn has_way_to(url: &Url, names: &NameLookups) -> bool {
    let addresses = match url.host() {
        Some(Host::Ipv4(address)) => vec![IpAddr::from(address)],
        Some(Host::Ipv6(address)) => vec![IpAddr::from(address)],
        Some(Host::Domain(name)) => match names.resolve(name).await {
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
#[derive(Clone)]
pub(super) struct PermittedResolver {
    policy: Arc<DestinationPolicy>,
    names: NameLookups,
}

/// A name without any permitted address. Names change: another attempt may find another address.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct RefusedName(String);

impl PermittedResolver {
    /// Filters the addresses of `names` by `policy`.
    pub(super) fn new(policy: DestinationPolicy, names: NameLookups) -> Self {
        Self { policy: Arc::new(policy), names }
    }

    /// The addresses of a host that may be connected to.
    async fn resolve(self, host: String) -> Result<Vec<SocketAddr>, ResolveError> {
        let found = self.names.resolve(&host).await?;
        let (mut permitted, refused): (Vec<_>, Vec<_>) =
            found.iter().copied().partition(|address| self.policy.permits(address.ip()));
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
        Ok(permitted)
    }
}

type ResolveError = Box<dyn std::error::Error + Send + Sync>;

impl Service<Name> for PermittedResolver {
    type Response = std::vec::IntoIter<SocketAddr>;
    type Error = ResolveError;
    type Future = BoxFuture<'static, Result<Self::Response, Self::Error>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, name: Name) -> Self::Future {
        let resolving = self.clone().resolve(name.as_str().to_owned());
        Box::pin(async { Ok(resolving.await?.into_iter()) })
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::time::Duration;

    use super::super::dns::system_lookup;
    use super::super::names::Lookup;
    use super::*;

    async fn resolve(allowed: &str, lookup: Lookup, host: &str) -> Result<Vec<IpAddr>, String> {
        let networks = allowed.split_terminator(',').map(|it| it.parse().expect("a network"));
        let policy = DestinationPolicy::new(networks.collect());
        let names = NameLookups::new(lookup, Duration::from_secs(5));
        let resolver = PermittedResolver::new(policy, names);
        let found = resolver.resolve(host.to_owned()).await;
        found
            .map(|found| found.iter().map(SocketAddr::ip).collect())
            .map_err(|error| error.to_string())
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
