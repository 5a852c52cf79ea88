//! The system's names: `/etc/hosts`, then the DNS servers of `/etc/resolv.conf`, by tasks instead
//! of `getaddrinfo`, each call of which blocks a thread for as long as a server is silent.

mod servers;

use std::fs;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use futures::future::FutureExt as _;
use hickory_resolver::Hosts;
use hickory_resolver::net::NetError;
use hickory_resolver::proto::op::Query;
use hickory_resolver::proto::rr::{Name, RecordType};
use hickory_resolver::system_conf::parse_resolv_conf;
use parking_lot::Mutex;
use service::outage::Outage;

use self::servers::NameServers;
use super::names::Lookup;
use crate::lack::{Lack, LookupLacked, RESOLVERS};

const HOSTS: &str = "/etc/hosts";

/// The system's own lookup, which says when it failed for want of something of this machine.
pub fn system_lookup() -> Lookup {
    lookup_by(PathBuf::from(HOSTS), PathBuf::from(RESOLVERS))
}

fn lookup_by(hosts: PathBuf, resolvers: PathBuf) -> Lookup {
    let system = Arc::new(System::of(hosts, resolvers));
    Arc::new(move |host| {
        let system = Arc::clone(&system);
        async move { system.lookup(&host).await }.boxed()
    })
}

/// The system's files, each read again whenever it has changed.
struct System {
    hosts: PathBuf,
    resolvers: PathBuf,
    listed: Mutex<Remembered<Arc<Hosts>>>,
    servers: Mutex<Remembered<NameServers>>,
    /// The list of hosts cannot be read.
    unlisted: Mutex<Outage>,
}

/// The content of a file, and when the file was changed; `None` without a file.
type Remembered<T> = Option<(Option<SystemTime>, T)>;

impl System {
    fn of(hosts: PathBuf, resolvers: PathBuf) -> Self {
        Self {
            hosts,
            resolvers,
            listed: Mutex::default(),
            servers: Mutex::default(),
            unlisted: Mutex::default(),
        }
    }

    async fn lookup(&self, host: &str) -> io::Result<Vec<SocketAddr>> {
        // As it is written: names of services in a network of containers have underscores.
        let name = Name::from_ascii(host).map_err(io::Error::other)?;
        let hosts = remembered(&self.listed, &self.hosts, || self.read_hosts())?;
        let listed = listed(&hosts, &name);
        if !listed.is_empty() {
            return Ok(listed);
        }
        let servers = remembered(&self.servers, &self.resolvers, || self.read_servers())?;
        match servers.lookup(&name).await {
            Ok(found) => Ok(found.into_iter().map(|ip| SocketAddr::new(ip, 0)).collect()),
            Err(error) => {
                let source = match error {
                    NetError::Timeout => {
                        let sentence = format!("no DNS server answered for {host}");
                        io::Error::new(io::ErrorKind::TimedOut, sentence)
                    }
                    error => io::Error::other(error),
                };
                Err(match Lack::of_lookup(&source, &self.resolvers) {
                    Some(lack) => lacking(lack, source),
                    None => source,
                })
            }
        }
    }

    /// The list of hosts, empty where it cannot be read. Fails where this machine lacks something
    /// to read it: a listed host would be asked for elsewhere.
    fn read_hosts(&self) -> io::Result<Arc<Hosts>> {
        let text = match fs::read(&self.hosts) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
            Err(error) if Lack::of_io(&error).is_some() => return Err(error),
            text => text,
        };
        let mut unlisted = self.unlisted.lock();
        let text = match text {
            Ok(text) => {
                unlisted.ends();
                text
            }
            Err(error) => {
                if unlisted.begins() {
                    let file = self.hosts.display();
                    tracing::warn!(%error, %file, "No host is taken from an unreadable file");
                }
                Vec::new()
            }
        };
        let mut hosts = Hosts::default();
        // Comments may be in any encoding.
        hosts.read_hosts_conf(String::from_utf8_lossy(&text).as_bytes())?;
        Ok(Arc::new(hosts))
    }

    fn read_servers(&self) -> io::Result<NameServers> {
        let read = fs::read(&self.resolvers).and_then(|text| {
            let (config, options) = parse_resolv_conf(text).map_err(io::Error::other)?;
            NameServers::new(config, options)
        });
        read.map_err(|error| lacking(Lack::of_io(&error).unwrap_or(Lack::Resolver), error))
    }
}

/// The content of a file, by `read` if it has changed. A fault is not remembered.
fn remembered<T: Clone>(
    remembered: &Mutex<Remembered<T>>,
    file: &Path,
    read: impl FnOnce() -> io::Result<T>,
) -> io::Result<T> {
    let changed = fs::metadata(file).and_then(|file| file.modified()).ok();
    let mut remembered = remembered.lock();
    match &*remembered {
        Some((of, value)) if *of == changed => Ok(value.clone()),
        _ => {
            let value = read()?;
            *remembered = Some((changed, value.clone()));
            Ok(value)
        }
    }
}

fn lacking(lack: Lack, source: io::Error) -> io::Error {
    io::Error::other(LookupLacked { lack, source })
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
    use std::fs::File;
    use std::net::Ipv6Addr;
    use std::time::Duration;

    use super::*;

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

    #[tokio::test]
    async fn a_list_of_hosts_with_a_fault_fails_no_name() {
        let folder = tempfile::tempdir().expect("a folder");
        let (hosts, resolvers) = (folder.path().join("hosts"), folder.path().join("resolv.conf"));
        fs::write(&hosts, b"10.1.2.3 receiver # B\xfcro\n\xff\xfe\n10.1.2.4 other\n")
            .expect("written");
        let lookup = lookup_by(hosts.clone(), resolvers.clone());
        for (host, last) in [("receiver", 3), ("other", 4)] {
            let found = lookup(host.to_owned()).await.expect("listed");
            assert_eq!(found, [SocketAddr::from(([10, 1, 2, last], 0))]);
        }
        // A folder instead of a file; nobody answers beside it.
        fs::remove_file(&hosts).expect("removed");
        fs::create_dir(&hosts).expect("made");
        let error = lookup("receiver".to_owned()).await.expect_err("no file names servers");
        assert_eq!(Lack::of(&error), Some(Lack::Resolver), "the servers are asked: {error}");
    }
}
