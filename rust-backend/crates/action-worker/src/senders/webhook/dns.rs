//! The system's names: `/etc/hosts`, then the DNS servers of `/etc/resolv.conf`, by tasks instead
//! of `getaddrinfo`, each call of which blocks a thread for as long as a server is silent.

use std::fs::{self, File};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use futures::future::FutureExt as _;
use hickory_resolver::config::{LookupIpStrategy, ResolveHosts, ResolverConfig, ResolverOpts};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::proto::op::Query;
use hickory_resolver::proto::rr::{Name, RecordType};
use hickory_resolver::system_conf::parse_resolv_conf;
use hickory_resolver::{Hosts, TokioResolver};
use parking_lot::Mutex;

use super::names::Lookup;
use crate::lack::{Lack, LookupLacked, RESOLVERS};

const HOSTS: &str = "/etc/hosts";
/// Time for which an address is remembered at most, however long its record says.
const REMEMBERED_MAX: Duration = Duration::from_mins(5);
/// Time for which it is remembered that a name does not exist.
const MISSING_MAX: Duration = Duration::from_secs(5);
/// Questions under way to one DNS server: two for each of the lookups that [`Names`] permits.
///
/// [`Names`]: super::names::Names
const QUESTIONS_MAX: usize = 1_024;

/// The system's own lookup, which says when it failed for want of something of this machine.
pub fn system_lookup() -> Lookup {
    lookup_by(PathBuf::from(HOSTS), PathBuf::from(RESOLVERS))
}

fn lookup_by(hosts: PathBuf, resolvers: PathBuf) -> Lookup {
    let system = Arc::new(System { hosts, resolvers, read: Mutex::default() });
    Arc::new(move |host| {
        let system = Arc::clone(&system);
        async move { system.lookup(&host).await }.boxed()
    })
}

/// The system's files, read again whenever they have changed.
struct System {
    hosts: PathBuf,
    resolvers: PathBuf,
    read: Mutex<Option<(Stamp, Arc<Hosts>, TokioResolver)>>,
}

/// When the files were changed; `None` of one that is not there.
type Stamp = [Option<SystemTime>; 2];

impl System {
    async fn lookup(&self, host: &str) -> io::Result<Vec<SocketAddr>> {
        // As it is written: names of services in a network of containers have underscores.
        let name = Name::from_ascii(host).map_err(io::Error::other)?;
        let (hosts, servers) = self.names()?;
        let listed = listed(&hosts, &name);
        if !listed.is_empty() {
            return Ok(listed);
        }
        match servers?.lookup_ip(name).await {
            Ok(found) => Ok(found.iter().map(|address| SocketAddr::new(address, 0)).collect()),
            Err(error) => {
                let source = io::Error::other(error);
                Err(match Lack::of_lookup(&source, &self.resolvers) {
                    Some(lack) => lacking(lack, source),
                    None => source,
                })
            }
        }
    }

    /// What the files say. A fault of theirs is not remembered.
    fn names(&self) -> io::Result<(Arc<Hosts>, io::Result<TokioResolver>)> {
        let changed = |path: &Path| fs::metadata(path).and_then(|file| file.modified()).ok();
        let stamp = [changed(&self.hosts), changed(&self.resolvers)];
        let mut read = self.read.lock();
        if let Some((of, hosts, servers)) = &*read
            && *of == stamp
        {
            return Ok((Arc::clone(hosts), Ok(servers.clone())));
        }
        let (hosts, servers) = (Arc::new(self.read_hosts()?), self.read_servers());
        if let Ok(servers) = &servers {
            *read = Some((stamp, Arc::clone(&hosts), servers.clone()));
        }
        Ok((hosts, servers))
    }

    fn read_hosts(&self) -> io::Result<Hosts> {
        let mut hosts = Hosts::default();
        match File::open(&self.hosts) {
            Ok(file) => hosts.read_hosts_conf(file)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        Ok(hosts)
    }

    fn read_servers(&self) -> io::Result<TokioResolver> {
        let read = fs::read(&self.resolvers).and_then(|text| {
            let (config, options) = parse_resolv_conf(text).map_err(io::Error::other)?;
            resolver(config, options)
        });
        read.map_err(|error| lacking(Lack::of_io(&error).unwrap_or(Lack::Resolver), error))
    }
}

fn lacking(lack: Lack, source: io::Error) -> io::Error {
    io::Error::other(LookupLacked { lack, source })
}

fn resolver(config: ResolverConfig, mut options: ResolverOpts) -> io::Result<TokioResolver> {
    options.ip_strategy = LookupIpStrategy::Ipv4AndIpv6;
    // Asked before, for both families at once: a host that lists one has no other address.
    options.use_hosts_file = ResolveHosts::Never;
    options.max_active_requests = QUESTIONS_MAX;
    options.positive_max_ttl = Some(REMEMBERED_MAX);
    options.negative_max_ttl = Some(MISSING_MAX);
    let builder = TokioResolver::builder_with_config(config, TokioRuntimeProvider::default());
    builder.with_options(options).build().map_err(io::Error::other)
}

/// The addresses of a host in `/etc/hosts`.
fn listed(hosts: &Hosts, name: &Name) -> Vec<SocketAddr> {
    let of_type = |record_type| hosts.lookup_static_host(&Query::query(name.clone(), record_type));
    let found = [RecordType::A, RecordType::AAAA].into_iter().filter_map(of_type);
    let mut addresses: Vec<SocketAddr> = Vec::new();
    for lookup in found {
        let ips = lookup.answers().iter().filter_map(|record| record.data.ip_addr());
        addresses.extend(ips.map(|ip: IpAddr| SocketAddr::new(ip, 0)));
    }
    addresses
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, Ipv6Addr};

    use hickory_resolver::config::{ConnectionConfig, NameServerConfig, ProtocolConfig};
    use hickory_resolver::proto::op::{Message, MessageType, ResponseCode};
    use hickory_resolver::proto::rr::rdata::A;
    use hickory_resolver::proto::rr::{RData, Record};
    use tokio::net::UdpSocket;

    use super::*;

    /// Answers questions for names that begin with `well`; others have no answer.
    async fn dns_server() -> (SocketAddr, tokio::task::JoinHandle<()>) {
        let socket = UdpSocket::bind("127.0.0.1:0").await.expect("a port");
        let address = socket.local_addr().expect("an address");
        let serving = tokio::spawn(async move {
            let mut bytes = [0; 512];
            loop {
                let (length, from) = socket.recv_from(&mut bytes).await.expect("a question");
                let mut message = Message::from_vec(&bytes[..length]).expect("a message");
                let query = message.queries[0].clone();
                if !query.name().to_string().starts_with("well") {
                    continue;
                }
                message.metadata.message_type = MessageType::Response;
                message.metadata.response_code = ResponseCode::NoError;
                if query.query_type() == RecordType::A {
                    let data = RData::A(A(Ipv4Addr::new(192, 0, 2, 7)));
                    message.answers.push(Record::from_rdata(query.name().clone(), 60, data));
                }
                let answer = message.to_vec().expect("an answer");
                socket.send_to(&answer, from).await.expect("sent");
            }
        });
        (address, serving)
    }

    const SILENCE: Duration = Duration::from_secs(2);

    fn threads() -> usize {
        fs::read_dir("/proc/self/task").expect("threads").count()
    }

    #[tokio::test]
    async fn a_silent_dns_server_takes_no_thread_and_no_others_turn() {
        let (address, serving) = dns_server().await;
        let mut udp = ConnectionConfig::new(ProtocolConfig::Udp);
        udp.port = address.port();
        let server = NameServerConfig::new(address.ip(), true, vec![udp]);
        let config = ResolverConfig::from_parts(None, Vec::new(), vec![server]);
        let mut options = ResolverOpts::default();
        (options.timeout, options.attempts) = (SILENCE, 1);
        let resolver = resolver(config, options).expect("a resolver");
        let before = threads();
        let silent: Vec<_> = (0..200)
            .map(|number| {
                let (resolver, name) = (resolver.clone(), format!("silent{number}.test."));
                tokio::spawn(async move { resolver.lookup_ip(name).await.is_ok() })
            })
            .collect();
        let others = async |turn: &str| {
            for number in 0..20 {
                let name = format!("well-{turn}{number}.test.");
                let found = resolver.lookup_ip(name).await.expect("found");
                let found: Vec<IpAddr> = found.iter().collect();
                assert_eq!(found, [IpAddr::from([192, 0, 2, 7])]);
            }
        };
        others("beside").await;
        assert_eq!(threads(), before);
        for lookup in silent {
            assert!(!lookup.await.expect("it ends"), "no answer came");
        }
        others("after").await;
        serving.abort();
    }

    #[tokio::test]
    async fn a_listed_host_needs_no_answer_and_a_changed_list_counts() {
        let folder = tempfile::tempdir().expect("a folder");
        let (hosts, resolvers) = (folder.path().join("hosts"), folder.path().join("resolv.conf"));
        let lookup = lookup_by(hosts.clone(), resolvers.clone());
        let list = |text: &str, second: u64| {
            fs::write(&hosts, text).expect("written");
            let file = File::options().write(true).open(&hosts).expect("opened");
            file.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(second)).expect("set");
        };
        let lack = async |host: &str| Lack::of(&lookup(host.to_owned()).await.expect_err("none"));
        list("10.1.2.3 receiver\n", 0);
        assert_eq!(lack("other").await, Some(Lack::Resolver), "no file names servers");
        fs::write(&resolvers, "search test\n").expect("written");
        assert_eq!(lack("other").await, Some(Lack::Resolver), "it names none");
        let found = async |host: &str| -> Vec<IpAddr> {
            let found = lookup(host.to_owned()).await.expect("listed");
            found.iter().map(SocketAddr::ip).collect()
        };
        list("# ours\n10.1.2.3 receiver receiver.test\nfd00::7 receiver\n", 1);
        assert_eq!(found("receiver.test").await, [IpAddr::from([10, 1, 2, 3])]);
        // Nobody listens there.
        fs::write(&resolvers, "nameserver 127.0.53.54\n").expect("written");
        let both = [IpAddr::from([10, 1, 2, 3]), Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, 7).into()];
        assert_eq!(found("receiver").await, both);
        list("10.1.2.4 Receiver.Test\n", 2);
        assert_eq!(found("receiver.test.").await, [IpAddr::from([10, 1, 2, 4])]);
    }
}
