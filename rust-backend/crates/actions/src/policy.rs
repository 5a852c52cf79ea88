//! The permitted destinations of actions: public addresses, and the private networks that the
//! operator listed.
//!
//! A URL is checked by [`DestinationPolicy::check_url`] when its trigger is applied and again
//! before each attempt; the addresses of a name by the worker's resolver, whenever it is resolved.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;
use url::{Host, Url};

use crate::networks::{embedded_v4, special};

/// Servers and proxies should take 8,000 bytes (RFC 9110, section 4.1); all of them take 2,048.
pub const URL_BYTES_MAX: usize = 2_048;

/// Bytes of a name, and of one of its labels (RFC 1035, section 2.3.4).
const NAME_BYTES_MAX: usize = 253;
const LABEL_BYTES_MAX: usize = 63;

/// The addresses that an action may send to.
#[derive(Clone, Debug, Default)]
pub struct DestinationPolicy {
    allowed: Vec<IpNet>,
}

/// The reason why a URL is no destination. Its account changes the URL, or the operator the
/// allow-list.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Longer than [`URL_BYTES_MAX`].
    #[error("the URL has {0} bytes and may have {URL_BYTES_MAX}")]
    TooLong(usize),
    /// Neither http nor https.
    #[error("the URL must begin with http:// or https://")]
    Scheme,
    /// Nothing to connect to.
    #[error("the URL names no host")]
    NoHost,
    /// Nothing listens on port 0.
    #[error("the URL has port 0, on which nothing can listen")]
    Port,
    /// No name that a name server could have.
    #[error(
        "{0:?} is no name of a host: labels of 1 to {LABEL_BYTES_MAX} letters, digits, `-` or `_`, \
         with a `.` between two"
    )]
    Name(String),
    /// A variable of some shell or template; nothing puts a value there.
    #[error("{0:?} stands in the URL, where no variable is replaced; write its value")]
    Placeholder(String),
    /// A name or password would be sent, stored and shown.
    #[error("the URL must not carry a user name or password")]
    UserInfo,
    /// The host is an address that is not public.
    #[error("{0} was refused; AGENTAURI_ALLOW_PRIVATE_DESTINATIONS may list its network")]
    Address(RefusedAddress),
    /// The host is a name for this machine (RFC 6761, section 6.3).
    #[error("{0} names this machine; AGENTAURI_ALLOW_PRIVATE_DESTINATIONS may list 127.0.0.0/8")]
    Localhost(String),
}

/// An address that no webhook may go to, shown with its purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RefusedAddress(pub IpAddr);

impl fmt::Display for RefusedAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(address) = self;
        if let Some(is) = special(*address) {
            return write!(f, "{address} ({is})");
        }
        write!(f, "{address}")?;
        let IpAddr::V6(address) = address else { return Ok(()) };
        for carried in embedded_v4(*address) {
            if let Some(is) = special(carried.into()) {
                return write!(f, ", which stands for {carried} ({is})");
            }
        }
        Ok(())
    }
}

impl DestinationPolicy {
    /// A policy that permits public addresses, and these networks.
    pub fn new(allowed: Vec<IpNet>) -> Self {
        Self { allowed }
    }

    /// True if a message may be sent to the address.
    ///
    /// An IPv6 address that stands for an IPv4 address (mapped, compatible, translated, 6to4,
    /// Teredo, NAT64, ISATAP) must be permitted in its IPv6 form, and its IPv4 address besides: a
    /// network that reaches the internet by NAT64 lists `64:ff9b::/96`, and 127.0.0.1 stays refused
    /// behind it.
    pub fn permits(&self, address: IpAddr) -> bool {
        let listed = self.allowed.iter().any(|network| network.contains(&address));
        let carried = match address {
            IpAddr::V4(_) => None,
            IpAddr::V6(address) => Some(embedded_v4(address)),
        };
        (listed || special(address).is_none())
            && carried.into_iter().flatten().all(|carried| self.permits(carried.into()))
    }

    /// Checks a URL without I/O: all of it except the addresses of a name.
    pub fn check_url(&self, url: &Url) -> Result<(), Refusal> {
        if url.as_str().len() > URL_BYTES_MAX {
            return Err(Refusal::TooLong(url.as_str().len()));
        }
        if !matches!(url.scheme(), "http" | "https") {
            return Err(Refusal::Scheme);
        }
        if let Some(placeholder) = placeholder(url.as_str()) {
            return Err(Refusal::Placeholder(placeholder));
        }
        if url.port() == Some(0) {
            return Err(Refusal::Port);
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(Refusal::UserInfo);
        }
        match url.host() {
            None => Err(Refusal::NoHost),
            Some(Host::Ipv4(address)) => self.check_address(address.into()),
            Some(Host::Ipv6(address)) => self.check_address(address.into()),
            Some(Host::Domain(name)) => self.check_name(name),
        }
    }

    fn check_address(&self, address: IpAddr) -> Result<(), Refusal> {
        if self.permits(address) { Ok(()) } else { Err(Refusal::Address(RefusedAddress(address))) }
    }

    fn check_name(&self, name: &str) -> Result<(), Refusal> {
        if !is_host_name(name) {
            return Err(Refusal::Name(name.to_owned()));
        }
        let last_label = name.trim_end_matches('.').rsplit('.').next();
        let loopback_permitted =
            self.permits(Ipv4Addr::LOCALHOST.into()) || self.permits(Ipv6Addr::LOCALHOST.into());
        if last_label == Some("localhost") && !loopback_permitted {
            return Err(Refusal::Localhost(name.to_owned()));
        }
        Ok(())
    }
}

/// True for a name that may be in the DNS: its letters are those of host names (RFC 1123), and `_`.
fn is_host_name(name: &str) -> bool {
    let name = name.strip_suffix('.').unwrap_or(name);
    let is_letter = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    name.len() <= NAME_BYTES_MAX
        && name.split('.').all(|label| {
            (1..=LABEL_BYTES_MAX).contains(&label.len()) && label.bytes().all(is_letter)
        })
}

/// The first `${…}` or `{{…}}` of a URL. A parsed one has its braces as `%7B` in a path.
fn placeholder(url: &str) -> Option<String> {
    let written = url.replace("%7B", "{").replace("%7D", "}");
    let begins = [("${", "}"), ("{{", "}}")];
    let found = begins.iter().find_map(|(begin, end)| {
        let rest = &written[written.find(begin)?..];
        Some(&rest[..rest.find(end)? + end.len()])
    });
    found.map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use rand::rngs::StdRng;
    use rand::{RngExt as _, SeedableRng as _};

    use super::*;

    fn allowing(list: &str) -> DestinationPolicy {
        let networks = list.split_terminator(',').map(|it| it.trim().parse().expect("a network"));
        DestinationPolicy::new(networks.collect())
    }

    fn check(policy: &DestinationPolicy, url: &str) -> Result<(), Refusal> {
        policy.check_url(&Url::parse(url).expect("a URL"))
    }

    fn permits(policy: &DestinationPolicy, address: &str) -> bool {
        policy.permits(address.parse().expect("an address"))
    }

    #[test]
    fn no_spelling_of_a_private_address_gets_through() {
        for host in [
            "127.0.0.1",
            "127.0.0.1.",
            "127.1",
            "2130706433",
            "0x7f.1",
            "0x7f000001",
            "017700000001",
            "0",
            "%31%32%37.0.0.1",
            "127。0。0。1",
            "①②⑦.0.0.1",
            "[::1]",
            "[::]",
            "[::ffff:127.0.0.1]",
            "[::ffff:7f00:1]",
            "[::127.0.0.1]",
            "[64:ff9b::127.0.0.1]",
            "[64:ff9b:1::1]",
            "[2002:7f00:1::]",
            "[2001:0:7f00:1::]",
            "[fe80::1]",
            "[fec0::1]",
            "[fd00:ec2::254]",
            "[ff02::1]",
            "[2606:4700::5efe:10.0.0.1]",
            "[2a00::200:5efe:169.254.169.254]",
            "[2003::0:5efe:7f00:1]",
            "10.0.0.1",
            "172.31.255.255",
            "192.168.0.1",
            "169.254.169.254",
            "100.100.100.200",
            "198.19.0.1",
            "255.255.255.255",
            "localhost",
            "localhost.",
            "LOCALHOST",
            "a.localhost",
            "ｌocalhost",
        ] {
            let refusal = check(&DestinationPolicy::default(), &format!("http://{host}/hook"));
            assert!(
                matches!(refusal, Err(Refusal::Address(_) | Refusal::Localhost(_))),
                "{host}: {refusal:?}"
            );
        }
    }

    #[test]
    fn public_addresses_and_names_are_destinations() {
        for url in [
            "https://example.org/hook",
            "http://example.org:8080/",
            "http://1.1.1.1/",
            "https://[2606:4700::1111]:443/a?b=c",
            "https://notlocalhost/",
            "https://localhost.example/",
            "https://example.org./hook",
            "http://backend:8080/",
            "https://_hooks.a-b.example/",
            "https://bücher.example/",
            "https://a.example/$1/{id}",
        ] {
            assert_eq!(check(&DestinationPolicy::default(), url), Ok(()), "{url}");
        }
    }

    #[test]
    fn a_url_that_is_no_destination_is_refused_for_its_reason() {
        let policy = DestinationPolicy::default();
        for (url, refusal) in [
            ("ftp://example.org/", Refusal::Scheme),
            ("file:///etc/passwd", Refusal::Scheme),
            ("unix:/run/postgresql.sock", Refusal::Scheme),
            ("https://user@example.org/", Refusal::UserInfo),
            ("http://example.org:0/", Refusal::Port),
            ("http://1.1.1.1:0/", Refusal::Port),
            ("http://a..b/", Refusal::Name("a..b".to_owned())),
            ("http://.a/", Refusal::Name(".a".to_owned())),
            ("http://a../", Refusal::Name("a..".to_owned())),
            ("http://./", Refusal::Name(".".to_owned())),
            ("http://a*b/", Refusal::Name("a*b".to_owned())),
            ("http://$HOST/", Refusal::Name("$host".to_owned())),
            ("http://${HOST}/", Refusal::Placeholder("${host}".to_owned())),
            ("http://{{host}}/", Refusal::Placeholder("{{host}}".to_owned())),
            ("https://a.example/${TOKEN}", Refusal::Placeholder("${TOKEN}".to_owned())),
            ("https://a.example/?t={{ .t }}", Refusal::Placeholder("{{%20.t%20}}".to_owned())),
            ("https://:password@example.org/", Refusal::UserInfo),
        ] {
            assert_eq!(check(&policy, url), Err(refusal), "{url}");
        }
        let long = |bytes: usize| format!("{:x<bytes$}", "https://example.org/");
        assert_eq!(check(&policy, &long(2_048)), Ok(()));
        assert_eq!(check(&policy, &long(2_049)), Err(Refusal::TooLong(2_049)));
    }

    /// Draws URLs whose parts are each sound or not, and gives the first that is sound in all parts
    /// and refused, or the other way round.
    fn first_misjudged(check: impl Fn(&str) -> bool) -> Option<String> {
        const LABELS: [(&str, bool); 12] = [
            ("a", true),
            ("b-c", true),
            ("_hooks", true),
            ("xn--bcher-kva", true),
            ("b\u{fc}cher", true),
            ("a1", true),
            ("", false),
            ("a*b", false),
            ("$HOST", false),
            ("${HOST}", false),
            ("{{host}}", false),
            ("a b", false),
        ];
        const PORTS: [(&str, bool); 4] =
            [("", true), (":8080", true), (":0", false), (":00", false)];
        const PATHS: [(&str, bool); 5] = [
            ("/", true),
            ("/a$b{c}?d=$1", true),
            ("/${TOKEN}", false),
            ("/?t=${TOKEN}", false),
            ("/a?b={{ c }}", false),
        ];
        let mut random = StdRng::seed_from_u64(19);
        for _ in 0..20_000 {
            let long = "x".repeat(random.random_range(60..67));
            let mut is_sound = true;
            let mut labels = Vec::new();
            for _ in 0..random.random_range(1..6) {
                let (label, is_label) = match random.random_range(0..30) {
                    0 => (long.as_str(), long.len() <= 63),
                    // Mostly sound ones, so that many a URL is.
                    drawn @ 1..=11 => LABELS[drawn],
                    drawn => LABELS[drawn % 6],
                };
                labels.push(label);
                is_sound &= is_label;
            }
            let (port, is_port) = PORTS[random.random_range(0..PORTS.len())];
            let (path, is_path) = PATHS[random.random_range(0..PATHS.len())];
            // Ends with a letter, so that it is no number of an address.
            let url = format!("http://{}.example{port}{path}", labels.join("."));
            if check(&url) != (is_sound && is_port && is_path) {
                return Some(url);
            }
        }
        None
    }

    fn is_destination(url: &str) -> bool {
        Url::parse(url).is_ok_and(|url| DestinationPolicy::default().check_url(&url).is_ok())
    }

    #[test]
    fn no_url_that_can_never_be_reached_is_a_destination() {
        assert_eq!(first_misjudged(is_destination), None);
    }

    #[test]
    fn a_check_that_forgets_one_part_is_caught() {
        for (forgotten, instead) in
            [(":0/", ":1/"), ("$", "s"), ("{{", "a"), ("*", "a"), ("..", ".")]
        {
            let found = first_misjudged(|url| is_destination(&url.replace(forgotten, instead)));
            assert!(found.is_some(), "{forgotten}");
        }
    }

    #[test]
    fn a_refused_address_says_what_it_is() {
        let refusal =
            check(&DestinationPolicy::default(), "http://0xa9fea9fe/").expect_err("link-local");
        assert_eq!(
            refusal.to_string(),
            "169.254.169.254 (link-local, RFC 3927) was refused; \
             AGENTAURI_ALLOW_PRIVATE_DESTINATIONS may list its network"
        );
    }

    #[test]
    fn a_listed_network_is_permitted_and_no_other() {
        let policy = allowing(" 127.0.0.0/8, 10.1.0.0/16 ,fd00::/8");
        for address in ["127.0.0.1", "10.1.255.255", "fd00::1", "8.8.8.8", "2606:4700::1111"] {
            assert!(permits(&policy, address), "{address}");
        }
        for address in ["10.2.0.0", "::1", "169.254.169.254", "fe80::1", "::ffff:127.0.0.1"] {
            assert!(!permits(&policy, address), "{address}");
        }
        assert_eq!(check(&policy, "http://localhost:9000/"), Ok(()));
    }

    #[test]
    fn an_ipv4_address_in_ipv6_form_is_permitted_only_if_both_are() {
        let nat64 = allowing("64:ff9b::/96");
        assert!(permits(&nat64, "64:ff9b::8.8.8.8"));
        assert!(!permits(&nat64, "64:ff9b::127.0.0.1"));
        let everything_in_v6 = allowing("::/0");
        assert!(permits(&everything_in_v6, "::1"));
        assert!(!permits(&everything_in_v6, "::ffff:10.0.0.1"));
        assert!(!permits(&everything_in_v6, "2002:a00:1::"));
        assert!(permits(&allowing("::/0,10.0.0.0/8"), "::ffff:10.0.0.1"));
        assert!(!permits(&everything_in_v6, "2001::f5ff:fffe"), "Teredo's client is 10.0.0.1");
        assert!(permits(&DestinationPolicy::default(), "2606:4700::5efe:8.8.8.8"));
        let refused = check(&DestinationPolicy::default(), "http://[2a00::5efe:a00:1]/");
        let told = refused.expect_err("ISATAP").to_string();
        assert!(told.starts_with("2a00::5efe:a00:1, which stands for 10.0.0.1 (private"), "{told}");
    }

    /// An address that carries `v4` in the form of that number.
    fn carrying(form: usize, v4: Ipv4Addr, noise: [u16; 4]) -> String {
        let [p, q, r, s] = noise;
        let bits = v4.to_bits();
        let (high, low) = (bits >> 16, bits & 0xffff);
        match form {
            0 => format!("::ffff:{v4}"),
            1 => format!("::ffff:0:{v4}"),
            2 => format!("64:ff9b::{v4}"),
            3 => format!("64:ff9b:1::{v4}"),
            4 => format!("64:ff9b:1:{high:x}:{:x}:{:x}::", low >> 8, (low & 0xff) << 8),
            5 => format!("2002:{high:x}:{low:x}:{p:x}:{q:x}:{r:x}:{s:x}:1"),
            6 => format!("2001::808:808:{p:x}:{q:x}:{:x}:{:x}", high ^ 0xffff, low ^ 0xffff),
            7 => format!("2001:0:{high:x}:{low:x}:{p:x}:{q:x}:f7f7:f7f7"),
            8 => format!("2a00:{p:x}:{q:x}:{r:x}::5efe:{v4}"),
            _ => format!("2a00:{p:x}:{q:x}:{r:x}:200:5efe:{v4}"),
        }
    }

    /// Draws addresses that carry others, and gives the first on which `permits` and the rule
    /// differ: where all IPv6 is listed, such an address is permitted as what it carries is.
    fn first_escape(permits: impl Fn(&DestinationPolicy, IpAddr) -> bool) -> Option<String> {
        let mut random = StdRng::seed_from_u64(17);
        let everything_in_v6 = allowing("::/0");
        for _ in 0..20_000 {
            let inside = ["10.0.0.0/8", "127.0.0.0/8", "169.254.169.254/32", "8.8.0.0/16"];
            let inside: ipnet::Ipv4Net =
                inside[random.random_range(0..inside.len())].parse().expect("a network");
            let host = random.random::<u32>() & u32::from(inside.hostmask());
            let v4 = Ipv4Addr::from_bits(u32::from(inside.network()) | host);
            let text = carrying(random.random_range(0..10), v4, random.random());
            let address = text.parse().expect("an address");
            let expected = everything_in_v6.permits(v4.into());
            let found = permits(&everything_in_v6, address);
            // There each length of prefix counts, so that another reading may forbid it.
            let is_doubtful = text.starts_with("64:ff9b:1:") && !found;
            if found != expected && !is_doubtful {
                return Some(format!("{text} carries {v4}"));
            }
        }
        None
    }

    #[test]
    fn no_form_that_carries_a_private_address_gets_through() {
        assert_eq!(first_escape(DestinationPolicy::permits), None);
    }

    #[test]
    fn a_policy_that_forgets_one_form_is_caught() {
        for forgotten in ["5efe:", "2001:0:", "64:ff9b:1:", "2002:"] {
            let escape = first_escape(|policy, address| {
                let text = address.to_string();
                policy.permits(address) || text.contains(forgotten)
            });
            assert!(escape.is_some(), "{forgotten}");
        }
    }
}
