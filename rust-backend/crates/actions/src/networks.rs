//! The networks that are not the public internet: no stranger's webhook may lead there.
//!
//! Sources: the IANA special-purpose address registries of IPv4 and IPv6 (RFC 6890, RFC 8190), and
//! for IPv6 the rule that global unicast is `2000::/3` alone (RFC 4291, section 2.4).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::LazyLock;

use ipnet::IpNet;

/// Networks, their purposes and the standards that define them. The first that contains an address
/// describes it.
const SPECIAL: [(&str, &str); 45] = [
    ("0.0.0.0/8", "this host or network, RFC 1122"),
    ("10.0.0.0/8", "private, RFC 1918"),
    ("100.64.0.0/10", "shared by a provider's customers, RFC 6598"),
    ("127.0.0.0/8", "loopback, RFC 1122"),
    // Holds 169.254.169.254, where clouds hand out credentials.
    ("169.254.0.0/16", "link-local, RFC 3927"),
    ("172.16.0.0/12", "private, RFC 1918"),
    ("192.0.0.0/24", "protocol assignments, RFC 6890"),
    ("192.0.2.0/24", "documentation, RFC 5737"),
    ("192.88.99.0/24", "6to4 relays, RFC 7526"),
    ("192.168.0.0/16", "private, RFC 1918"),
    ("198.18.0.0/15", "benchmarks, RFC 2544"),
    ("198.51.100.0/24", "documentation, RFC 5737"),
    ("203.0.113.0/24", "documentation, RFC 5737"),
    ("224.0.0.0/4", "multicast, RFC 1112"),
    ("255.255.255.255/32", "broadcast, RFC 919"),
    ("240.0.0.0/4", "class E, RFC 1112"),
    // Public by its number; inside Azure it answers from the machine's own host.
    ("168.63.129.16/32", "the host of an Azure machine, Microsoft"),
    ("::/128", "unspecified, RFC 4291"),
    ("::1/128", "loopback, RFC 4291"),
    ("::ffff:0:0/96", "IPv4-mapped, RFC 4291"),
    ("::ffff:0:0:0/96", "IPv4-translated, RFC 2765"),
    ("::/96", "IPv4-compatible, RFC 4291"),
    ("64:ff9b::/96", "NAT64, RFC 6052"),
    ("64:ff9b:1::/48", "local NAT64, RFC 8215"),
    ("100::/64", "discarded, RFC 6666"),
    ("100:0:0:1::/64", "a dummy prefix, RFC 9780"),
    ("2001::/32", "Teredo, RFC 4380"),
    ("2001:2::/48", "benchmarks, RFC 5180"),
    ("2001:10::/28", "ORCHID, RFC 4843"),
    ("2001:20::/28", "ORCHID, RFC 7343"),
    ("2001::/23", "protocol assignments, RFC 2928"),
    ("2001:db8::/32", "documentation, RFC 3849"),
    ("2002::/16", "6to4, RFC 3056"),
    ("3ffe::/16", "the former 6bone, RFC 3701"),
    ("3fff::/20", "documentation, RFC 9637"),
    ("5f00::/16", "segment routing, RFC 9602"),
    ("fc00::/7", "unique local, RFC 4193"),
    ("fe80::/10", "link-local, RFC 4291"),
    ("fec0::/10", "site-local, RFC 3879"),
    ("ff00::/8", "multicast, RFC 4291"),
    // The rest outside of 2000::/3.
    ("::/3", "not global unicast, RFC 4291"),
    ("4000::/2", "not global unicast, RFC 4291"),
    ("8000::/2", "not global unicast, RFC 4291"),
    ("c000::/3", "not global unicast, RFC 4291"),
    ("e000::/3", "not global unicast, RFC 4291"),
];

static NETWORKS: LazyLock<Vec<(IpNet, &str)>> = LazyLock::new(|| {
    SPECIAL.iter().map(|(network, is)| (network.parse().expect("a network"), *is)).collect()
});

/// The purpose of an address that is not public. An IPv4 address in an IPv6 form is an IPv6 address
/// here.
pub(crate) fn special(address: IpAddr) -> Option<&'static str> {
    NETWORKS.iter().find(|(network, _)| network.contains(&address)).map(|(_, is)| *is)
}

/// The IPv4 addresses that an IPv6 address stands for, where a translator, a tunnel or the kernel
/// would go there: IPv4-mapped and -compatible (RFC 4291), IPv4-translated (RFC 2765), 6to4
/// (RFC 3056), Teredo's server and client (RFC 4380), NAT64 (RFC 6052), and behind any prefix
/// ISATAP (RFC 5214, section 6.1).
pub(crate) fn embedded_v4(address: Ipv6Addr) -> impl Iterator<Item = Ipv4Addr> {
    let segments = address.segments();
    let at = |first: usize| {
        Ipv4Addr::from_bits(u32::from(segments[first]) << 16 | u32::from(segments[first + 1]))
    };
    let isatap = matches!(segments, [_, _, _, _, 0 | 0x200, 0x5efe, ..]).then(|| at(6));
    let of_prefix: [Option<Ipv4Addr>; 4] = match segments {
        [0, 0, 0, 0, 0, 0, 0, 0 | 1] => [None; 4],
        [0, 0, 0, 0, 0, 0 | 0xffff, ..]
        | [0, 0, 0, 0, 0xffff, 0, ..]
        | [0x64, 0xff9b, 0, 0, 0, 0, ..] => [Some(at(6)), None, None, None],
        [0x64, 0xff9b, 1, ..] => local_nat64(address),
        [0x2001, 0, ..] => {
            let client = Ipv4Addr::from_bits(!at(6).to_bits());
            [Some(at(2)), Some(client), None, None]
        }
        [0x2002, ..] => [Some(at(1)), None, None, None],
        _ => [None; 4],
    };
    of_prefix.into_iter().chain([isatap]).flatten()
}

/// The addresses that one of `64:ff9b:1::/48` may stand for. The length of the translator's prefix
/// is the network's own choice (RFC 6052, section 2.2), so each length counts that leaves zeros
/// behind it.
fn local_nat64(address: Ipv6Addr) -> [Option<Ipv4Addr>; 4] {
    let octets = address.octets();
    // Without the octet that is always zero, at bits 64 to 71.
    let all = [&octets[..8], &octets[9..]].concat();
    let behind = |prefix: usize| {
        let (carried, rest) = all[prefix..].split_at(4);
        let possible = octets[8] == 0 && rest.iter().all(|octet| *octet == 0);
        possible.then(|| Ipv4Addr::new(carried[0], carried[1], carried[2], carried[3]))
    };
    let [.., a, b, c, d] = octets;
    let last = Ipv4Addr::new(a, b, c, d);
    [behind(6), behind(7), behind(8), Some(last).filter(|last| !last.is_unspecified())]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is(address: &str) -> Option<&'static str> {
        special(address.parse().expect("an address"))
    }

    #[test]
    fn the_first_and_the_last_address_of_each_network_are_special() {
        for (network, is) in NETWORKS.iter() {
            assert_eq!(network.trunc(), *network, "{is}");
            for address in [network.network(), network.broadcast()] {
                assert!(network.contains(&address), "{address} is in {network}");
                assert!(special(address).is_some(), "{address}");
            }
        }
    }

    #[test]
    fn the_neighbours_of_special_networks_are_public() {
        for address in [
            "1.0.0.0",
            "9.255.255.255",
            "11.0.0.0",
            "100.63.255.255",
            "100.128.0.0",
            "126.255.255.255",
            "128.0.0.0",
            "169.253.255.255",
            "169.255.0.0",
            "172.15.255.255",
            "172.32.0.0",
            "192.0.1.0",
            "192.0.3.0",
            "192.167.255.255",
            "192.169.0.0",
            "198.17.255.255",
            "198.20.0.0",
            "203.0.112.255",
            "203.0.114.0",
            "223.255.255.255",
            "168.63.129.15",
            "2001:200::1",
            "2001:db7:ffff::1",
            "2001:db9::",
            "2003::1",
            "2606:4700::1111",
            "3ffd::1",
            "3fff:1000::1",
            "2000::",
            "2a00::1",
        ] {
            assert_eq!(is(address), None, "{address}");
        }
    }

    #[test]
    fn the_most_telling_description_comes_first() {
        assert_eq!(is("169.254.169.254"), Some("link-local, RFC 3927"));
        assert_eq!(is("255.255.255.255"), Some("broadcast, RFC 919"));
        assert_eq!(is("::1"), Some("loopback, RFC 4291"));
        assert_eq!(is("::ffff:127.0.0.1"), Some("IPv4-mapped, RFC 4291"));
        assert_eq!(is("::127.0.0.1"), Some("IPv4-compatible, RFC 4291"));
        assert_eq!(is("2001::1"), Some("Teredo, RFC 4380"));
        assert_eq!(is("2001:1ff::1"), Some("protocol assignments, RFC 2928"));
        assert_eq!(is("4000::1"), Some("not global unicast, RFC 4291"));
        assert_eq!(is("fd00:ec2::254"), Some("unique local, RFC 4193"));
    }

    #[test]
    fn an_ipv4_address_is_found_in_every_form_that_carries_it() {
        for form in [
            "::ffff:127.0.0.1",
            "::127.0.0.1",
            "::ffff:0:7f00:1",
            "64:ff9b::127.0.0.1",
            "2002:7f00:1::9",
            "64:ff9b:1::7f00:1",
            "64:ff9b:1:7f00:0:100::",
            "64:ff9b:1:7f:0:1::",
            "64:ff9b:1:0:7f:0:100::",
            "2001::80ff:fffe",
            "2606:4700::5efe:127.0.0.1",
            "2606:4700::200:5efe:127.0.0.1",
            "fe80::5efe:7f00:1",
        ] {
            let found: Vec<_> = embedded_v4(form.parse().expect("an IPv6 address")).collect();
            assert!(found.contains(&Ipv4Addr::LOCALHOST), "{form}: {found:?}");
        }
        for form in ["::", "::1", "2606:4700::1111", "fe80::7f00:1", "2606::100:5efe:7f00:1"] {
            let found: Vec<_> = embedded_v4(form.parse().expect("an IPv6 address")).collect();
            assert!(found.is_empty(), "{form}: {found:?}");
        }
    }
}
