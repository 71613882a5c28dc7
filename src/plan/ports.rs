//! Published ports: `--publish [[IP:][HOST_PORT[-LAST]]:]PORT[-LAST][/tcp|udp]`, or docker's other form,
//! `target=PORT[,published=HOST_PORT][,protocol=tcp|udp]`. A range of the host for one port of the container stands for
//! a free port of that range, as in docker.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::{IpAddr, Ipv4Addr};
use std::ops::RangeInclusive;

use super::{Defaults, Error, Facts, PortRequest};
use crate::types::{Invalid, PortMapping, Protocol};

/// Why a range is refused.
const RANGE: &str = "a port must be a number from 1 to 65535, or a range FIRST-LAST with the smaller number first";

/// Every published port: ranges expanded, free host ports chosen, none twice.
pub(super) fn mappings(published: &[PortRequest], facts: &Facts) -> Result<Vec<PortMapping>, Error> {
    let mut found = facts.found.ports.iter().copied();
    let mut mappings: Vec<PortMapping> = Vec::new();
    // By port, since a range may have tens of thousands.
    let mut by_port: BTreeMap<u16, Vec<PortMapping>> = BTreeMap::new();
    for one in published {
        let invalid = || Error::option("--publish")(Invalid::new("port", one.to_string(), RANGE));
        let host_ip = one.host_address(&facts.defaults);
        let mut host = one.host_ports().map_err(|()| invalid())?;
        for container_port in one.container_ports().ok_or_else(invalid)? {
            let host_port = match &mut host {
                Some(range) => range.next(),
                None => found.next(),
            };
            let host_port = host_port.ok_or(Error::NoFreePort { container_port })?;
            let mapping = PortMapping { host_ip, host_port, container_port, protocol: one.protocol };
            let at_port = by_port.entry(host_port).or_default();
            if let Some(taken) = at_port.iter().find(|other| collide(other, &mapping)) {
                if *taken == mapping {
                    continue;
                }
                return Err(Error::PortTwice { host_port, protocol: mapping.protocol });
            }
            at_port.push(mapping.clone());
            mappings.push(mapping);
        }
    }
    Ok(mappings)
}

/// A port that must be free at an address of the host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FreePort {
    /// The address; `None` is every IPv4 address.
    pub(crate) address: Option<IpAddr>,
    /// The protocol.
    pub(crate) protocol: Protocol,
    /// The first and the last port among which it must be; any if absent.
    pub(crate) among: Option<(u16, u16)>,
}

/// What must be looked up for the published ports: a free port for each that names no port of the host, in this order,
/// and the ports that the others name.
pub(super) fn needs(published: &[PortRequest], defaults: &Defaults) -> (Vec<FreePort>, BTreeSet<(Protocol, u16)>) {
    let (mut free, mut named) = (Vec::new(), BTreeSet::new());
    for one in published {
        let address = one.host_address(defaults);
        match (one.host_ports(), one.container_ports()) {
            (Ok(Some(ports)), _) => named.extend(ports.map(|port| (one.protocol, port))),
            (Ok(None), Some(ports)) => {
                let among = one.host_port.zip(one.host_last);
                free.extend(ports.map(|_| FreePort { address, protocol: one.protocol, among }));
            }
            (Ok(None), None) | (Err(()), _) => {}
        }
    }
    (free, named)
}

impl PortRequest {
    /// The address of the host; none for every IPv4 address.
    fn host_address(&self, defaults: &Defaults) -> Option<IpAddr> {
        match self.host_ip.or(defaults.publish_address) {
            Some(IpAddr::V4(address)) if address.is_unspecified() => None,
            address => address,
        }
    }

    /// The ports of the host, if they are named.
    fn host_ports(&self) -> Result<Option<RangeInclusive<u16>>, ()> {
        if let Some(last) = self.host_last {
            let is_range = self.host_port.is_some_and(|first| first > 0 && first <= last);
            return if is_range && self.count == 1 { Ok(None) } else { Err(()) };
        }
        self.host_port.map(|first| from(first, self.count).ok_or(())).transpose()
    }

    fn container_ports(&self) -> Option<RangeInclusive<u16>> {
        from(self.container_port, self.count)
    }

    /// Reads `--publish`.
    pub(crate) fn from_publish(text: &str) -> Result<Self, Error> {
        parse(text).map_err(Error::option("--publish"))
    }
}

impl fmt::Display for PortRequest {
    /// In the grammar of `--publish`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.host_ip {
            Some(IpAddr::V6(address)) => write!(f, "[{address}]:")?,
            Some(IpAddr::V4(address)) => write!(f, "{address}:")?,
            None => {}
        }
        let last = |first: u16| u32::from(first) + u32::from(self.count) - 1;
        let mut range = |first: u16| match self.count {
            0 | 1 => write!(f, "{first}"),
            _ => write!(f, "{first}-{}", last(first)),
        };
        match (self.host_port, self.host_last) {
            (Some(first), Some(last)) => write!(f, "{first}-{last}")?,
            (Some(first), None) => range(first)?,
            (None, _) => {}
        }
        if self.host_port.is_some() || self.host_ip.is_some() {
            f.write_str(":")?;
        }
        match self.count {
            0 | 1 => write!(f, "{}", self.container_port)?,
            _ => write!(f, "{}-{}", self.container_port, last(self.container_port))?,
        }
        if self.protocol == Protocol::Tcp { Ok(()) } else { write!(f, "/{}", self.protocol) }
    }
}

/// `count` ports from `first` on.
fn from(first: u16, count: u16) -> Option<RangeInclusive<u16>> {
    let last = first.checked_add(count.checked_sub(1)?)?;
    (first > 0).then_some(first..=last)
}

/// Whether two mappings cannot both listen on the host: "every address" collides with each one.
fn collide(a: &PortMapping, b: &PortMapping) -> bool {
    let same_address = a.host_ip == b.host_ip
        || matches!((a.host_ip, b.host_ip), (None, Some(IpAddr::V4(_))) | (Some(IpAddr::V4(_)), None));
    same_address && a.host_port == b.host_port && a.protocol == b.protocol
}

fn parse(text: &str) -> Result<PortRequest, Invalid> {
    let invalid = |reason: &str| Invalid::new("port", text, reason);
    let pairs = text.contains('=').then(|| from_pairs(text)).transpose().map_err(&invalid)?;
    let short = pairs.as_deref().unwrap_or(text);
    let (rest, protocol) = match short.split_once('/') {
        None => (short, Protocol::Tcp),
        Some((rest, word)) if word.eq_ignore_ascii_case("tcp") => (rest, Protocol::Tcp),
        Some((rest, word)) if word.eq_ignore_ascii_case("udp") => (rest, Protocol::Udp),
        Some((_, word)) if word.eq_ignore_ascii_case("sctp") => {
            return Err(invalid("sctp cannot be published without root"));
        }
        Some(_) => return Err(invalid("the protocol must be tcp or udp")),
    };
    let (rest, container) = rest.rsplit_once(':').map_or(("", rest), |(rest, container)| (rest, container));
    // What is left is HOST, IP:HOST, [IPV6]:HOST or nothing; `IP::PORT` leaves `IP:`.
    let (address, host) = match rest.strip_prefix('[') {
        Some(bracketed) => {
            let (address, host) = bracketed
                .split_once("]:")
                .ok_or_else(|| invalid("an IPv6 address must be written [ADDRESS]:PORT:PORT"))?;
            (
                Some(IpAddr::V6(
                    address.parse().map_err(|_| invalid("the text between the brackets must be an IPv6 address"))?,
                )),
                host,
            )
        }
        None => match rest.split_once(':') {
            Some((address, host)) => {
                let address: Ipv4Addr = address
                    .parse()
                    .map_err(|_| invalid("the first part must be an IPv4 address; an IPv6 address needs brackets"))?;
                (Some(IpAddr::V4(address)), host)
            }
            None => (None, rest),
        },
    };
    let range = |text: &str| range(text).ok_or_else(|| invalid(RANGE));
    let container = range(container)?;
    let host = if host.is_empty() || host == "0" { None } else { Some(range(host)?) };
    let mut host_last = None;
    if let Some(host) = &host
        && host.len() != container.len()
    {
        if container.len() > 1 {
            return Err(invalid("the two ranges differ in length"));
        }
        host_last = Some(*host.end());
    }
    let count = u16::try_from(container.len()).unwrap_or(u16::MAX);
    let host_port = host.map(|range| *range.start());
    Ok(PortRequest { host_ip: address, host_port, host_last, container_port: *container.start(), count, protocol })
}

/// The short form of `target=80,published=8080,protocol=tcp`.
fn from_pairs(text: &str) -> Result<String, &'static str> {
    const KEYS: &str = "it must have the keys target, published and protocol, each at most once, as KEY=VALUE";
    let (mut target, mut published, mut protocol) = (None, None, None);
    for pair in text.split(',') {
        let (key, value) = pair.split_once('=').ok_or(KEYS)?;
        let place = match key {
            "target" => &mut target,
            "published" => &mut published,
            "protocol" => &mut protocol,
            _ => return Err(KEYS),
        };
        // A value with an address or a protocol of its own would be another form.
        if place.replace(value).is_some() || value.contains([':', '/']) {
            return Err(KEYS);
        }
    }
    let target = target.ok_or("it has no target, the port of the container")?;
    Ok(format!("{}:{target}/{}", published.unwrap_or_default(), protocol.unwrap_or("tcp")))
}

fn range(text: &str) -> Option<RangeInclusive<u16>> {
    let port = |text: &str| {
        text.parse::<u16>().ok().filter(|port| *port > 0 && text.bytes().all(|byte| byte.is_ascii_digit()))
    };
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let (first, last) = (port(first)?, port(last)?);
    (first <= last).then_some(first..=last)
}

#[cfg(test)]
mod tests {
    use super::super::tests::facts;
    use super::*;

    fn publish(published: &[&str]) -> Result<Vec<String>, String> {
        let published = published.iter().map(|text| PortRequest::from_publish(text)).collect::<Result<Vec<_>, _>>();
        let mut facts = facts();
        facts.found.ports = (20_000..20_002).collect();
        let mappings = published.and_then(|published| mappings(&published, &facts)).map_err(|e| e.to_string())?;
        Ok(mappings
            .iter()
            .map(|m| {
                let address = m.host_ip.map_or("*".to_owned(), |ip| ip.to_string());
                format!("{address} {} {} {}", m.host_port, m.container_port, m.protocol)
            })
            .collect())
    }

    #[test]
    fn the_grammar() {
        for (published, expected) in [
            (&["8080:80"][..], &["* 8080 80 tcp"][..]),
            (&["80"], &["* 20000 80 tcp"]),
            (&["80-81"], &["* 20000 80 tcp", "* 20001 81 tcp"]),
            (&["53:53/udp", "53:53"], &["* 53 53 udp", "* 53 53 tcp"]),
            (&["8080:80/TCP", "53:53/Udp"], &["* 8080 80 tcp", "* 53 53 udp"]),
            (&["127.0.0.1:8080:80"], &["127.0.0.1 8080 80 tcp"]),
            (&["127.0.0.1::80"], &["127.0.0.1 20000 80 tcp"]),
            (&["0.0.0.0:8080:80"], &["* 8080 80 tcp"]),
            (&["[::1]:8080:80"], &["::1 8080 80 tcp"]),
            (&["[::]::80/udp"], &[":: 20000 80 udp"]),
            (&["8000-8002:80-82"], &["* 8000 80 tcp", "* 8001 81 tcp", "* 8002 82 tcp"]),
            (&[":80"], &["* 20000 80 tcp"]),
            // A free one of the range, which is looked up.
            (&["8000-8002:80"], &["* 20000 80 tcp"]),
            (&["8080:80", "8080:80"], &["* 8080 80 tcp"]),
            (&["target=80", "published=53,protocol=udp,target=53"], &["* 20000 80 tcp", "* 53 53 udp"]),
            (&["target=80-81,published=8000-8001"], &["* 8000 80 tcp", "* 8001 81 tcp"]),
            (&["127.0.0.1:80:80", "127.0.0.2:80:80"], &["127.0.0.1 80 80 tcp", "127.0.0.2 80 80 tcp"]),
        ] {
            assert_eq!(publish(published), Ok(expected.iter().map(|&s| s.to_owned()).collect()), "{published:?}");
        }
    }

    #[test]
    fn a_range_may_have_all_ports() {
        // Each compared with all others would be minutes.
        let all = publish(&["1024-65535:1024-65535", "1024-65535:1024-65535/udp", "8080:8080"]).unwrap();
        assert_eq!(all.len(), 2 * 64_512);
        let twice = publish(&["127.0.0.1:1024-65535:1024-65535", "65535:80"]);
        assert_eq!(twice, Err("`--publish`: host port 65535/tcp is published twice".to_owned()));
    }

    #[test]
    fn what_is_refused() {
        for bad in [
            "",
            "a",
            "0",
            "65536",
            "80/sctp",
            "80/icmp",
            "80/",
            "a:80",
            "1:2:3:4",
            "::1:80:80",
            "[::1]80:80",
            "[1.2.3.4]:1:2",
            "8000-8002:80-81",
            "8000:80-81",
            "81-80",
            "80-",
            "-80",
            "+80",
            "256.0.0.1:80:80",
            "8080:",
            "80 ",
            "localhost:80:80",
            "published=80",
            "target=",
            "target=80,",
            "target=80,target=81",
            "target=80,mode=host",
            "target=80,protocol=sctp",
            "target=80/udp",
            "target=80,published=127.0.0.1:80",
        ] {
            assert!(publish(&[bad]).is_err(), "{bad}");
        }
        assert_eq!(
            publish(&["8080:80", "127.0.0.1:8080:81"]),
            Err("`--publish`: host port 8080/tcp is published twice".to_owned())
        );
    }

    #[test]
    fn what_another_front_end_asks_for_is_checked_as_well() {
        let resolve = |json: serde_json::Value| {
            let request: PortRequest = serde_json::from_value(json).unwrap();
            mappings(std::slice::from_ref(&request), &facts()).map(|found| found.len()).map_err(|e| e.to_string())
        };
        let json = |host: u16, container: u16, count: u16| {
            serde_json::json!({
                "hostPort": host, "containerPort": container, "count": count
            })
        };
        assert_eq!(resolve(json(65000, 65000, 536)), Ok(536));
        assert_eq!(resolve(serde_json::json!({ "hostPort": 5, "containerPort": 6 })), Ok(1));
        let among = |first: u16, last: u16, count: u16| {
            serde_json::json!({
                "hostPort": first, "hostLast": last, "containerPort": 80, "count": count
            })
        };
        // Nothing was looked up for it.
        assert_eq!(resolve(among(8, 9, 1)), Err("`--publish`: the host has no free port for 80".to_owned()));
        for bad in [among(9, 8, 1), among(0, 8, 1), among(8, 9, 2)] {
            assert!(resolve(bad).is_err_and(|error| error.starts_with("`--publish`: invalid port")));
        }
        for (bad, shown) in [(json(8, 9, 0), "8:9"), (json(0, 1, 1), "0:1"), (json(1, 0, 1), "1:0")] {
            assert_eq!(resolve(bad), Err(format!("`--publish`: invalid port `{shown}`: {RANGE}")));
        }
        assert!(resolve(json(65000, 1, 1000)).is_err_and(|error| error.contains("`65000-65999:1-1000`")));
    }

    #[test]
    fn a_request_is_shown_as_it_was_typed() {
        for text in
            ["80", "8080:80", "80-81", "127.0.0.1::53/udp", "[::1]:8000-8001:80-81/udp", "1.2.3.4:5:6", "8000-8005:80"]
        {
            assert_eq!(PortRequest::from_publish(text).unwrap().to_string(), text);
        }
    }
}
