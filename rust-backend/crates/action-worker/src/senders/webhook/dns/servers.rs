//! DNS servers, asked so that a dead or partly silent one leaves time for the others, within the
//! limit of a lookup.

use std::io;
use std::net::IpAddr;
use std::pin::pin;
use std::time::Duration;

use futures::future::{Either, select};
use hickory_resolver::TokioResolver;
use hickory_resolver::config::{ResolveHosts, ResolverConfig, ResolverOpts};
use hickory_resolver::lookup::Lookup;
use hickory_resolver::net::NetError;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::proto::rr::{Name, RecordType};

/// Time for which an address is remembered at most, however long its record says.
const REMEMBERED_MAX: Duration = Duration::from_mins(5);
/// Time for which it is remembered that a name does not exist.
const MISSING_MAX: Duration = Duration::from_secs(5);
/// Questions under way to one DNS server: two for each of the lookups that [`NameLookups`] permits.
///
/// [`NameLookups`]: super::super::names::NameLookups
const QUESTIONS_MAX: usize = 1_024;
/// Time for an answer, against `/etc/resolv.conf`. Two servers are asked together, and the ones
/// that kept silent last: three times fit into [`CONNECT_TIMEOUT`], the limit of a lookup.
///
/// [`CONNECT_TIMEOUT`]: super::super::CONNECT_TIMEOUT
const ANSWER_MAX: Duration = Duration::from_millis(1_500);
/// Further tries at least.
const FURTHER_TRIES_MIN: usize = 2;
/// Time for addresses of IPv6 once there are some of IPv4: some servers drop that question.
const SECOND_FAMILY_MAX: Duration = Duration::from_millis(300);

/// The servers of a `resolv.conf`, and the names that it makes of one. Clones share their memory.
#[derive(Clone)]
pub(super) struct NameServers {
    resolver: TokioResolver,
    search: Vec<Name>,
    ndots: usize,
}

impl NameServers {
    pub(super) fn new(config: ResolverConfig, mut options: ResolverOpts) -> io::Result<Self> {
        options.timeout = options.timeout.min(ANSWER_MAX);
        options.attempts = options.attempts.max(FURTHER_TRIES_MIN);
        // Asked before, for both families at once: a host that lists one has no other address.
        options.use_hosts_file = ResolveHosts::Never;
        options.max_active_requests = QUESTIONS_MAX;
        options.positive_max_ttl = Some(REMEMBERED_MAX);
        options.negative_max_ttl = Some(MISSING_MAX);
        // A list of domains to search stands instead of the machine's own (resolv.conf(5)).
        let search = match config.search() {
            [] => config.domain().into_iter().cloned().collect(),
            search => search.to_vec(),
        };
        let ndots = options.ndots;
        let builder = TokioResolver::builder_with_config(config, TokioRuntimeProvider::default());
        let resolver = builder.with_options(options).build().map_err(io::Error::other)?;
        Ok(Self { resolver, search, ndots })
    }

    /// The addresses of the first of a host's names that has some.
    ///
    /// # Errors
    /// The last name's; silence about one of them counts for all.
    pub(super) async fn lookup(&self, host: &Name) -> Result<Vec<IpAddr>, NetError> {
        let mut latest = NetError::NoConnections;
        for name in self.candidates(host) {
            match self.addresses(name).await {
                Ok(found) => return Ok(found),
                Err(_) if matches!(latest, NetError::Timeout) => {}
                Err(error) => latest = error,
            }
        }
        Err(latest)
    }

    /// The names that a host may mean: as it stands, and within each domain to search; with few
    /// dots, these first.
    fn candidates(&self, host: &Name) -> Vec<Name> {
        let mut as_it_stands = host.clone();
        as_it_stands.set_fqdn(true);
        if host.is_fqdn() {
            return vec![as_it_stands];
        }
        let is_first = usize::from(host.num_labels()) > self.ndots || host.is_localhost();
        let within =
            self.search.iter().filter_map(|domain| host.clone().append_domain(domain).ok());
        let mut names: Vec<Name> = within.collect();
        names.insert(if is_first { 0 } else { names.len() }, as_it_stands);
        names
    }

    /// The addresses of one name. Each family is a question of its own, and the silence about one
    /// is no fault of the other.
    async fn addresses(&self, name: Name) -> Result<Vec<IpAddr>, NetError> {
        let four = pin!(self.resolver.lookup(name.clone(), RecordType::A));
        let six = pin!(self.resolver.lookup(name, RecordType::AAAA));
        let (four, six) = match select(four, six).await {
            Either::Left((Ok(four), six)) => {
                let six = tokio::time::timeout(SECOND_FAMILY_MAX, six).await;
                (Ok(four), six.unwrap_or(Err(NetError::Timeout)))
            }
            Either::Left((four, six)) => (four, six.await),
            Either::Right((six, four)) => (four.await, six),
        };
        let found = [&four, &six].into_iter().flatten().flat_map(ips);
        let found: Vec<IpAddr> = found.collect();
        match (found.is_empty(), four, six) {
            (true, Err(NetError::Dns(_)) | Ok(_), Err(error)) | (true, Err(error), _) => Err(error),
            (false, ..) | (true, Ok(_), Ok(_)) => Ok(found),
        }
    }
}

fn ips(lookup: &Lookup) -> impl Iterator<Item = IpAddr> + '_ {
    lookup.answers().iter().filter_map(|record| record.data.ip_addr())
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::net::{Ipv4Addr, SocketAddr};

    use hickory_resolver::config::{ConnectionConfig, NameServerConfig, ProtocolConfig};
    use hickory_resolver::proto::op::{Message, MessageType, ResponseCode};
    use hickory_resolver::proto::rr::rdata::A;
    use hickory_resolver::proto::rr::{RData, Record};
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::{TcpListener, TcpStream, UdpSocket};
    use tokio::task::JoinSet;
    use tokio::time::Instant;

    use super::*;

    const FOUND: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 7));
    /// As a lookup has it.
    const LIMIT: Duration = super::super::super::CONNECT_TIMEOUT;

    /// A DNS server's answer. Names that begin with `well` have an address; `cut` ones fit into no
    /// datagram, and of `four` ones it drops the question for IPv6. Others it drops, but for those
    /// below `none`, which do not exist.
    fn answer(question: &[u8], is_datagram: bool) -> Option<Vec<u8>> {
        let mut message = Message::from_vec(question).expect("a message");
        let query = message.queries[0].clone();
        let (name, is_four) = (query.name().to_string(), query.query_type() == RecordType::A);
        let exists = !name.ends_with(".none.");
        let is_dropped = exists && !["well", "cut", "four"].iter().any(|it| name.starts_with(it));
        if is_dropped || name.starts_with("four") && !is_four {
            return None;
        }
        message.metadata.message_type = MessageType::Response;
        message.metadata.response_code =
            if exists { ResponseCode::NoError } else { ResponseCode::NXDomain };
        message.metadata.truncation = is_datagram && name.starts_with("cut");
        if exists && is_four && !message.metadata.truncation {
            let data = RData::A(A(Ipv4Addr::new(192, 0, 2, 7)));
            message.answers.push(Record::from_rdata(query.name().clone(), 60, data));
        }
        Some(message.to_vec().expect("an answer"))
    }

    /// A server, by datagrams and by TCP, until the set is dropped.
    async fn dns_server(serving: &mut JoinSet<()>) -> SocketAddr {
        let socket = UdpSocket::bind("127.0.0.1:0").await.expect("a port");
        let address = socket.local_addr().expect("an address");
        let listener = TcpListener::bind(address).await.expect("the same port");
        serving.spawn(async move {
            let mut bytes = [0; 512];
            loop {
                let (length, from) = socket.recv_from(&mut bytes).await.expect("a question");
                if let Some(answer) = answer(&bytes[..length], true) {
                    socket.send_to(&answer, from).await.expect("sent");
                }
            }
        });
        serving.spawn(async move {
            let mut connections = JoinSet::new();
            loop {
                let (stream, _) = listener.accept().await.expect("a connection");
                connections.spawn(serve_stream(stream));
            }
        });
        address
    }

    async fn serve_stream(mut stream: TcpStream) {
        while let Ok(length) = stream.read_u16().await {
            let mut question = vec![0; usize::from(length)];
            stream.read_exact(&mut question).await.expect("a question");
            let Some(answer) = answer(&question, false) else { continue };
            stream.write_u16(u16::try_from(answer.len()).expect("short")).await.expect("written");
            stream.write_all(&answer).await.expect("written");
        }
    }

    /// Servers as a `resolv.conf` without options names them.
    fn servers(addresses: &[SocketAddr], search: &[&str]) -> NameServers {
        let config = |address: &SocketAddr| {
            let connections = [ProtocolConfig::Udp, ProtocolConfig::Tcp].map(|protocol| {
                let mut connection = ConnectionConfig::new(protocol);
                connection.port = address.port();
                connection
            });
            NameServerConfig::new(address.ip(), true, connections.to_vec())
        };
        let search = search.iter().map(|domain| Name::from_ascii(domain).expect("a domain"));
        let addresses = addresses.iter().map(config).collect();
        let config = ResolverConfig::from_parts(None, search.collect(), addresses);
        NameServers::new(config, ResolverOpts::default()).expect("servers")
    }

    async fn found(servers: &NameServers, host: &str) -> Result<Vec<IpAddr>, String> {
        let host = Name::from_ascii(host).expect("a name");
        let found = tokio::time::timeout(LIMIT, servers.lookup(&host)).await;
        found.map_err(|_| "no answer".to_owned())?.map_err(|error| error.to_string())
    }

    fn threads() -> usize {
        fs::read_dir("/proc/self/task").expect("threads").count()
    }

    #[tokio::test]
    async fn silence_about_one_name_is_told_before_a_denial_of_others() {
        let mut serving = JoinSet::new();
        let servers = servers(&[dns_server(&mut serving).await], &["none."]);
        let host = Name::from_ascii("silent.test").expect("a name");
        let answer = servers.lookup(&host).await;
        assert!(matches!(answer, Err(NetError::Timeout)), "{answer:?}");
    }

    #[tokio::test]
    async fn a_silent_dns_server_takes_no_thread_and_no_others_turn() {
        let mut serving = JoinSet::new();
        let servers = servers(&[dns_server(&mut serving).await], &[]);
        let before = threads();
        let silent: Vec<_> = (0..200)
            .map(|number| {
                let (servers, name) = (servers.clone(), format!("silent{number}.test."));
                tokio::spawn(async move { found(&servers, &name).await.is_ok() })
            })
            .collect();
        let others = async |turn: &str| {
            for number in 0..20 {
                let name = format!("well-{turn}{number}.test.");
                assert_eq!(found(&servers, &name).await, Ok(vec![FOUND]));
            }
        };
        others("beside").await;
        assert_eq!(threads(), before);
        for lookup in silent {
            assert!(!lookup.await.expect("it ends"), "no answer came");
        }
        others("after").await;
    }

    #[tokio::test]
    async fn silence_about_one_family_hides_no_address_of_the_other() {
        let mut serving = JoinSet::new();
        let servers = servers(&[dns_server(&mut serving).await], &[]);
        let begun = Instant::now();
        assert_eq!(found(&servers, "four.test.").await, Ok(vec![FOUND]));
        assert!(begun.elapsed() < ANSWER_MAX, "{:?}", begun.elapsed());
    }

    #[tokio::test]
    async fn dead_servers_are_passed_over_within_the_limit() {
        let mut serving = JoinSet::new();
        // They take questions and never answer.
        let silent = [(); 4].map(|()| std::net::UdpSocket::bind("127.0.0.1:0").expect("a port"));
        let mut addresses: Vec<_> =
            silent.iter().map(|it| it.local_addr().expect("an address")).collect();
        addresses.push(dns_server(&mut serving).await);
        // The order in which they are asked is drawn.
        let lookups = (0..8).map(|_| async {
            let servers = servers(&addresses, &[]);
            found(&servers, "well.test.").await
        });
        for found in futures::future::join_all(lookups).await {
            assert_eq!(found, Ok(vec![FOUND]));
        }
    }

    #[tokio::test]
    async fn a_truncated_answer_is_asked_for_by_tcp() {
        let mut serving = JoinSet::new();
        let servers = servers(&[dns_server(&mut serving).await], &[]);
        assert_eq!(found(&servers, "cut.test.").await, Ok(vec![FOUND]));
    }

    #[tokio::test]
    async fn a_host_is_searched_for_in_its_domains() {
        let mut serving = JoinSet::new();
        let servers = servers(&[dns_server(&mut serving).await], &["none.", "test."]);
        assert_eq!(found(&servers, "well").await, Ok(vec![FOUND]));
        assert!(found(&servers, "well.none").await.is_ok(), "as it stands it does not exist");
        let missing = found(&servers, "well.none.").await.expect_err("it does not exist");
        assert!(missing.contains("no records found"), "{missing}");
    }

    #[tokio::test]
    async fn a_host_with_few_dots_is_searched_for_first() {
        let config = ResolverConfig::from_parts(
            Some(Name::from_ascii("own.").expect("a domain")),
            ["one.", "two."].map(|it| Name::from_ascii(it).expect("a domain")).to_vec(),
            Vec::new(),
        );
        let mut options = ResolverOpts::default();
        options.ndots = 2;
        let servers = NameServers::new(config, options).expect("servers");
        for (host, names) in [
            ("a", &["a.one.", "a.two.", "a."][..]),
            ("a.b", &["a.b.one.", "a.b.two.", "a.b."]),
            ("a.b.c", &["a.b.c.", "a.b.c.one.", "a.b.c.two."]),
            ("a.", &["a."]),
        ] {
            let candidates = servers.candidates(&Name::from_ascii(host).expect("a name"));
            assert_eq!(candidates.iter().map(Name::to_string).collect::<Vec<_>>(), names);
        }
    }
}
