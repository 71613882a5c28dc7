//! `--publish [[IP:][HOST_PORT[-LAST]]:]PORT[-LAST][/tcp|udp]`.

use std::net::{IpAddr, Ipv4Addr};
use std::ops::RangeInclusive;

use super::{Error, Facts};
use crate::types::{Invalid, PortMapping, Protocol};

/// One `--publish`, checked; `host` is absent when any free port will do.
#[derive(Debug, PartialEq, Eq)]
struct Published {
    address: Option<IpAddr>,
    host: Option<RangeInclusive<u16>>,
    container: RangeInclusive<u16>,
    protocol: Protocol,
}

/// Every published port: ranges unrolled, free host ports chosen, none twice.
pub(super) fn mappings(published: &[String], facts: &Facts<'_>) -> Result<Vec<PortMapping>, Error> {
    let mut mappings: Vec<PortMapping> = Vec::new();
    for text in published {
        let one = parse(text).map_err(Error::option("--publish"))?;
        let host_ip = match one.address.or(facts.defaults.publish_address) {
            Some(IpAddr::V4(address)) if address.is_unspecified() => None,
            address => address,
        };
        let mut host = one.host;
        for container_port in one.container {
            let host_port = match &mut host {
                Some(range) => range.next(),
                None => free_port(&mappings, facts, host_ip, one.protocol),
            };
            let host_port = host_port.ok_or(Error::NoFreePort { container_port })?;
            let mapping = PortMapping { host_ip, host_port, container_port, protocol: one.protocol };
            if let Some(taken) = mappings.iter().find(|other| collide(other, &mapping)) {
                if *taken == mapping {
                    continue;
                }
                return Err(Error::PortTwice { host_port, protocol: mapping.protocol });
            }
            mappings.push(mapping);
        }
    }
    Ok(mappings)
}

/// A port that the host has free and that no earlier `--publish` takes.
fn free_port(mappings: &[PortMapping], facts: &Facts<'_>, address: Option<IpAddr>, protocol: Protocol) -> Option<u16> {
    // The kernel may answer with a port that an earlier answer named already, since nobody listens there yet.
    (0..100)
        .map_while(|_| (facts.free_port)(address, protocol))
        .find(|port| !mappings.iter().any(|other| other.host_port == *port && other.protocol == protocol))
}

/// Whether two mappings cannot both listen on the host: every address stands for each.
fn collide(a: &PortMapping, b: &PortMapping) -> bool {
    let same_address = a.host_ip == b.host_ip
        || matches!((a.host_ip, b.host_ip), (None, Some(IpAddr::V4(_))) | (Some(IpAddr::V4(_)), None));
    same_address && a.host_port == b.host_port && a.protocol == b.protocol
}

fn parse(text: &str) -> Result<Published, Invalid> {
    let invalid = |reason: &str| Invalid::new("port", text, reason);
    let (rest, protocol) = match text.split_once('/') {
        None => (text, Protocol::Tcp),
        Some((rest, "tcp")) => (rest, Protocol::Tcp),
        Some((rest, "udp")) => (rest, Protocol::Udp),
        Some((_, "sctp")) => return Err(invalid("sctp cannot be published without root")),
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
    let range =
        |text: &str| range(text).ok_or_else(|| invalid("a port must be a number from 1 to 65535, or a range of two"));
    let container = range(container)?;
    let host = if host.is_empty() || host == "0" { None } else { Some(range(host)?) };
    if let Some(host) = &host
        && host.len() != container.len()
    {
        return Err(invalid("the two ranges differ in length"));
    }
    Ok(Published { address, host, container, protocol })
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
    use std::cell::Cell;

    use super::super::tests::facts;
    use super::*;

    fn publish(published: &[&str]) -> Result<Vec<String>, String> {
        let next = Cell::new(40_000);
        // Each number is answered twice, as a kernel may do.
        let free = |_: Option<IpAddr>, _: Protocol| {
            next.set(next.get() + 1);
            Some(next.get() / 2)
        };
        let published: Vec<String> = published.iter().map(|&text| text.to_owned()).collect();
        let facts = Facts { free_port: &free, ..facts() };
        let mappings = mappings(&published, &facts).map_err(|error| error.to_string())?;
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
            (&["127.0.0.1:8080:80"], &["127.0.0.1 8080 80 tcp"]),
            (&["127.0.0.1::80"], &["127.0.0.1 20000 80 tcp"]),
            (&["0.0.0.0:8080:80"], &["* 8080 80 tcp"]),
            (&["[::1]:8080:80"], &["::1 8080 80 tcp"]),
            (&["[::]::80/udp"], &[":: 20000 80 udp"]),
            (&["8000-8002:80-82"], &["* 8000 80 tcp", "* 8001 81 tcp", "* 8002 82 tcp"]),
            (&[":80"], &["* 20000 80 tcp"]),
            (&["8080:80", "8080:80"], &["* 8080 80 tcp"]),
            (&["127.0.0.1:80:80", "127.0.0.2:80:80"], &["127.0.0.1 80 80 tcp", "127.0.0.2 80 80 tcp"]),
        ] {
            assert_eq!(publish(published), Ok(expected.iter().map(|&s| s.to_owned()).collect()), "{published:?}");
        }
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
            "8000-8001:80",
            "8000:80-81",
            "81-80",
            "80-",
            "-80",
            "+80",
            "256.0.0.1:80:80",
            "8080:",
            "80 ",
            "localhost:80:80",
        ] {
            assert!(publish(&[bad]).is_err(), "{bad}");
        }
        assert_eq!(
            publish(&["8080:80", "127.0.0.1:8080:81"]),
            Err("`--publish`: host port 8080/tcp is published twice".to_owned())
        );
    }
}
