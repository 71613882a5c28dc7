use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use reqwest::Url;

/// How far away an address is. A registry may send us to addresses at least as far as its own, never nearer: a public
/// registry must not reach the user's host or network through us (safety.md R2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reach {
    /// Anywhere.
    Public,
    /// RFC 1918, RFC 6598, unique local and site local, translated within a network (RFC 8215).
    Private,
    /// Link-local, multicast and the other reserved ranges: metadata services use them.
    Link,
    /// This host.
    Loopback,
}

impl Reach {
    /// The reach of `address`. An IPv4 address inside an IPv6 one counts as itself.
    pub(super) fn of(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(v4) => Self::of_v4(v4),
            IpAddr::V6(v6) => {
                if let Some(v4) = v4_in(v6) {
                    return Self::of_v4(v4);
                }
                let [first, second, third, ..] = v6.segments();
                if v6.is_loopback() || v6.is_unspecified() {
                    Self::Loopback
                } else if v6.is_unique_local()
                    || first & 0xffc0 == 0xfec0
                    || (first, second, third) == (0x64, 0xff9b, 1)
                {
                    Self::Private
                } else if v6.is_unicast_link_local() || v6.is_multicast() {
                    Self::Link
                } else {
                    Self::Public
                }
            }
        }
    }

    fn of_v4(v4: Ipv4Addr) -> Self {
        let [a, b, ..] = v4.octets();
        if v4.is_loopback() || a == 0 {
            Self::Loopback
        } else if v4.is_private() || (a == 100 && b & 0xc0 == 64) {
            Self::Private
        } else if v4.is_link_local() || a >= 224 {
            Self::Link
        } else {
            Self::Public
        }
    }

    /// Whether a registry at `self` may send us to `other`.
    pub(super) fn may_send_to(self, other: Self) -> bool {
        match other {
            Self::Public => true,
            Self::Private => self == Self::Private || self == Self::Loopback,
            Self::Link => self == Self::Link,
            Self::Loopback => self == Self::Loopback,
        }
    }
}

/// The IPv4 address that an IPv6 one stands for: mapped, compatible (not `::` and `::1`), translated (RFC 6052), 6to4.
fn v4_in(v6: Ipv6Addr) -> Option<Ipv4Addr> {
    let octets = v6.octets();
    let at = |first: usize| Ipv4Addr::new(octets[first], octets[first + 1], octets[first + 2], octets[first + 3]);
    match v6.segments() {
        [0, 0, 0, 0, 0, 0, 0, 0 | 1] => None,
        [0, 0, 0, 0, 0, 0 | 0xffff, _, _] | [0x64, 0xff9b, 0, 0, 0, 0, _, _] => Some(at(12)),
        [0x2002, ..] => Some(at(2)),
        _ => None,
    }
}

/// The address in the host part of a URL or reference, if it is not a name.
pub(super) fn literal(host: &str) -> Option<IpAddr> {
    host.trim_start_matches('[').trim_end_matches(']').parse().ok()
}

/// Whether a host is this host by its spelling alone: 127.0.0.0/8, `::1`, `localhost` (which [`super::dns`] never asks
/// a server about). Source: docker's rule for insecure registries.
pub(super) fn is_loopback(host: &str) -> bool {
    host == "localhost" || literal(host).is_some_and(|address| address.to_canonical().is_loopback())
}

/// Whether `NO_PROXY` exempts a host at a port by `*`, or by an entry with a port or a leading `*`; the HTTP library
/// handles all other entries. Source: Go's httpproxy, `Config.NoProxy`, which docker and podman follow.
pub(super) fn is_exempt(no_proxy: &str, host: &str, port: u16) -> bool {
    let host = host.trim_start_matches('[').trim_end_matches(']');
    no_proxy.split(',').map(str::trim).any(|entry| {
        let (name, at_port) = match entry.rsplit_once(':') {
            // Not the last part of a bare IPv6 address.
            Some((name, digits)) if !name.contains(':') || name.ends_with(']') => (name, digits.parse().ok()),
            _ => (entry, Some(port)),
        };
        let name = name.trim_start_matches('[').trim_end_matches(']').to_ascii_lowercase();
        // `.example.com` and `*.example.com` match subdomains, `example.com` also matches itself.
        let below = name.strip_prefix('*').unwrap_or(&name);
        let is_below =
            |suffix: &str| !suffix.is_empty() && host.strip_suffix(suffix).is_some_and(|left| !left.is_empty());
        let is_named = match below.strip_prefix('.') {
            Some(_) => is_below(below),
            None => host == name || (literal(host).is_none() && is_below(&format!(".{name}"))),
        };
        entry == "*" || (at_port == Some(port) && is_named)
    })
}

/// Host and port in the usual form, without the scheme's default port.
pub(super) fn authority(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    match url.port() {
        Some(port) => format!("{host}:{port}"),
        None => host.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_know_how_far_they_reach() {
        for (text, reach) in [
            ("8.8.8.8", Reach::Public),
            ("10.1.2.3", Reach::Private),
            ("172.31.0.1", Reach::Private),
            ("192.168.0.1", Reach::Private),
            ("100.64.0.1", Reach::Private),
            ("100.128.0.1", Reach::Public),
            ("169.254.169.254", Reach::Link),
            ("224.0.0.1", Reach::Link),
            ("255.255.255.255", Reach::Link),
            ("0.0.0.0", Reach::Loopback),
            ("127.9.9.9", Reach::Loopback),
            ("::1", Reach::Loopback),
            ("::", Reach::Loopback),
            ("::ffff:127.0.0.1", Reach::Loopback),
            ("::ffff:169.254.169.254", Reach::Link),
            ("64:ff9b::a00:1", Reach::Private),
            ("64:ff9b:1::808:808", Reach::Private),
            ("::7f00:1", Reach::Loopback),
            ("::808:808", Reach::Public),
            ("2002:a9fe:a9fe::1", Reach::Link),
            ("2002:808:808::1", Reach::Public),
            ("fec0::1", Reach::Private),
            ("fe80::1", Reach::Link),
            ("fd00::1", Reach::Private),
            ("2606:4700::1111", Reach::Public),
        ] {
            assert_eq!(literal(text).map(Reach::of), Some(reach), "{text}");
        }
    }

    #[test]
    fn a_proxy_is_not_for_what_no_proxy_names() {
        for (list, host, port, expected) in [
            ("*", "registry.example.com", 443, true),
            ("a, *", "10.0.0.1", 443, true),
            ("registry.example.com:5000", "registry.example.com", 5000, true),
            ("Example.COM:5000", "registry.example.com", 5000, true),
            ("registry.example.com:5000", "registry.example.com", 443, false),
            ("example.com:5000", "notexample.com", 5000, false),
            (".example.com", "example.com", 443, false),
            ("*.example.com", "registry.example.com", 443, true),
            ("*.example.com", "example.com", 443, false),
            ("10.0.0.1:5000", "10.0.0.1", 5000, true),
            ("0.1:5000", "10.0.0.1", 5000, false),
            ("[fd00::1]:5000", "[fd00::1]", 5000, true),
            ("fd00::1", "[fd00::2]", 1, false),
            (", :5000, x:port", "registry.example.com", 5000, false),
            ("", "registry.example.com", 443, false),
        ] {
            assert_eq!(is_exempt(list, host, port), expected, "{list}: {host}:{port}");
        }
    }

    #[test]
    fn loopback_is_what_docker_takes_for_it() {
        for host in ["localhost", "127.0.0.1", "127.1.2.3", "[::1]", "::1"] {
            assert!(is_loopback(host), "{host}");
        }
        for host in ["localhost.example.com", "128.0.0.1", "0.0.0.0", "10.0.0.1", "notlocalhost", "127.0.0.1.nip.io"] {
            assert!(!is_loopback(host), "{host}");
        }
    }
}
