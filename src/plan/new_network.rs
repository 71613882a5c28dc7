//! A network that is to be created: what was asked for, and the record that becomes of it. Pure.

mod kept;
mod options;
mod subnets;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::net::IpAddr;

use ipnet::IpNet;

use super::Error;
use crate::types::{Invalid, Name, NetworkRecord, Route};

/// A requested network: one field for each option of `network create`, in the option's own grammar.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct NetworkRequest {
    /// The name; absent: `podman1`, `podman2` …
    pub(crate) name: Option<String>,
    /// `--driver`.
    pub(crate) driver: Option<String>,
    /// `--subnet`.
    pub(crate) subnets: Vec<String>,
    /// `--gateway`, of the subnets in their order.
    pub(crate) gateways: Vec<String>,
    /// `--ip-range`, of the subnets in their order: a prefix, or `FIRST-LAST`.
    pub(crate) ranges: Vec<String>,
    /// `--aux-address`: `NAME=IP`.
    pub(crate) aux_addresses: Vec<String>,
    /// `--ipv4`: false without an IPv4 subnet.
    pub(crate) ipv4: Option<bool>,
    /// `--ipv6`.
    pub(crate) ipv6: bool,
    /// `--internal`.
    pub(crate) internal: bool,
    /// `--disable-dns`.
    pub(crate) disable_dns: bool,
    /// `--dns`.
    pub(crate) dns: Vec<String>,
    /// `--interface-name`.
    pub(crate) interface: Option<String>,
    /// `--ipam-driver`.
    pub(crate) ipam: Option<String>,
    /// `--label`: `NAME[=VALUE]`.
    pub(crate) labels: Vec<String>,
    /// `--opt`: `NAME=VALUE`.
    pub(crate) options: Vec<String>,
    /// `--route`: `DESTINATION,GATEWAY[,METRIC]`.
    pub(crate) routes: Vec<String>,
}

/// What is in use already, and what is new.
#[derive(Debug, Clone, Copy)]
pub(crate) struct NetworkFacts<'a> {
    /// The other networks.
    pub(crate) others: &'a [NetworkRecord],
    /// Where the host's routes lead, default routes excepted.
    pub(crate) host: &'a [IpNet],
    /// A new ID: 64 hex digits.
    pub(crate) id: &'a str,
    /// The time, RFC 3339.
    pub(crate) now: &'a str,
    /// Seven random bytes for an IPv6 prefix.
    pub(crate) prefix: [u8; 7],
}

/// Words of `--network` that are no network's name.
const MODES: [&str; 9] = ["bridge", "container", "default", "host", "none", "ns", "pasta", "private", "slirp4netns"];

/// The record of a requested network.
///
/// Fails if an option is wrong, contradicts another, or names what is in use; or if it needs what only root can lend.
pub(crate) fn new_network(request: &NetworkRequest, facts: NetworkFacts<'_>) -> Result<NetworkRecord, Error> {
    check_driver(request.driver.as_deref())?;
    let name = name(request, facts)?;
    let has_addresses = has_addresses(request)?;
    let dns_enabled = has_addresses && !request.disable_dns;
    let network_dns_servers = dns_servers(request, dns_enabled)?;
    let mut subnets = match has_addresses {
        true => subnets::subnets(request, facts, dns_enabled)?,
        false => Vec::new(),
    };
    kept::keep(&request.aux_addresses, &mut subnets)?;
    let options::Read { options, interface } = options::read(&request.options)?;
    let network_interface = interface_name(request.interface.as_deref().or(interface.as_deref()), facts)?;
    let mut record = NetworkRecord {
        name,
        id: facts.id.to_owned(),
        driver: "bridge".to_owned(),
        network_interface,
        created: facts.now.to_owned(),
        ipv6_enabled: subnets.iter().any(|subnet| subnet.subnet.addr().is_ipv6()),
        subnets,
        routes: Vec::new(),
        internal: request.internal,
        dns_enabled,
        network_dns_servers,
        labels: labels(&request.labels)?,
        options,
        ipam_options: BTreeMap::from([(
            "driver".to_owned(),
            if has_addresses { "host-local" } else { "none" }.to_owned(),
        )]),
    };
    record.routes = request.routes.iter().map(|text| route(text, &record)).collect::<Result<_, _>>()?;
    Ok(record)
}

/// Reads a name server of a network.
pub(crate) fn network_dns(option: &'static str, text: &str) -> Result<IpAddr, Error> {
    let invalid = || Error::option(option)(Invalid::new("name server", text, "must be an IP address"));
    text.parse().map_err(|_| invalid())
}

fn check_driver(driver: Option<&str>) -> Result<(), Error> {
    let refuse = |driver: &str, reason: &str| Err(Error::option("--driver")(Invalid::new("driver", driver, reason)));
    match driver {
        None | Some("" | "bridge") => Ok(()),
        Some(other @ ("macvlan" | "ipvlan")) => {
            refuse(other, "it hangs on an interface of the host, which only root can lend; use bridge")
        }
        Some(other @ ("host" | "none" | "null")) => {
            refuse(other, "it is no driver of networks with a name; use `rc run --network`")
        }
        Some(other) => refuse(other, "the only driver is bridge: rc runs no plugins"),
    }
}

fn name(request: &NetworkRequest, facts: NetworkFacts<'_>) -> Result<Name, Error> {
    let is_taken = |name: &Name| facts.others.iter().any(|other| other.name == *name);
    match &request.name {
        Some(text) => {
            let name: Name = text.parse().map_err(Error::Invalid)?;
            if MODES.contains(&name.as_str()) {
                return Err(Error::Invalid(Invalid::new("network name", text, "it is a word of `--network`")));
            }
            if is_taken(&name) { Err(Error::NetworkExists { name }) } else { Ok(name) }
        }
        None => numbered(|text| text.parse().is_ok_and(|name| !is_taken(&name))).parse().map_err(Error::Invalid),
    }
}

/// `podman1` or the next one that is free.
fn numbered(is_free: impl Fn(&str) -> bool) -> String {
    (1..u32::MAX).map(|number| format!("podman{number}")).find(|name| is_free(name)).unwrap_or_default()
}

/// The bridge's name. Each network has a namespace of its own, so it need not differ from others.
fn interface_name(asked: Option<&str>, facts: NetworkFacts<'_>) -> Result<String, Error> {
    let refuse =
        |text: &str, reason: &str| Err(Error::option("--interface-name")(Invalid::new("interface name", text, reason)));
    match asked {
        None => Ok(numbered(|text| facts.others.iter().all(|other| other.network_interface != text))),
        Some(text @ ("lo" | "tap0")) => refuse(text, "every network has an interface of this name"),
        Some(text) if crate::types::is_interface(text) => Ok(text.to_owned()),
        Some(text) => refuse(text, crate::types::INTERFACE_NAMES),
    }
}

/// Whether rc gives addresses to the network's members.
fn has_addresses(request: &NetworkRequest) -> Result<bool, Error> {
    let refuse =
        |driver: &str, reason: &str| Err(Error::option("--ipam-driver")(Invalid::new("driver", driver, reason)));
    match request.ipam.as_deref() {
        None | Some("" | "host-local" | "default") => Ok(true),
        Some("none") if request.subnets.is_empty() && !request.ipv6 => Ok(false),
        Some("none") => refuse("none", "the network has subnets; leave them out"),
        Some("dhcp") => refuse("dhcp", "it needs an interface of the host, which only root can lend"),
        Some(other) => refuse(other, "must be host-local or none"),
    }
}

fn dns_servers(request: &NetworkRequest, dns_enabled: bool) -> Result<Vec<IpAddr>, Error> {
    if let (Some(first), false) = (request.dns.first(), dns_enabled) {
        return Err(Error::option("--dns")(Invalid::new("name server", first, "the network has no DNS")));
    }
    request.dns.iter().flat_map(|text| text.split(',')).map(|text| network_dns("--dns", text)).collect()
}

fn labels(words: &[String]) -> Result<BTreeMap<String, String>, Error> {
    let pair = |word: &String| match word.split_once('=').unwrap_or((word, "")) {
        ("", _) => Err(Error::option("--label")(Invalid::new("label", word, "must have a name"))),
        (name, value) => Ok((name.to_owned(), value.to_owned())),
    };
    words.iter().map(pair).collect()
}

/// `DESTINATION,GATEWAY[,METRIC]`. Source: podman-network-create(1), `--route`.
fn route(text: &str, record: &NetworkRecord) -> Result<Route, Error> {
    let invalid = |reason: &str| Error::option("--route")(Invalid::new("route", text, reason));
    let words: Vec<&str> = text.split(',').collect();
    let (destination, gateway, metric) = match words[..] {
        [destination, gateway] => (destination, gateway, None),
        [destination, gateway, metric] => (destination, gateway, Some(metric)),
        _ => return Err(invalid("it must be DESTINATION,GATEWAY[,METRIC]")),
    };
    let destination: IpNet =
        destination.parse().map_err(|_| invalid("its destination must be a prefix, such as 10.1.0.0/16"))?;
    let gateway: IpAddr = gateway.parse().map_err(|_| invalid("its gateway must be an IP address"))?;
    let metric = metric.map(|text| text.parse().map_err(|_| invalid("its metric must be a number"))).transpose()?;
    if destination.addr().is_ipv4() != gateway.is_ipv4() {
        return Err(invalid("destination and gateway are of different families"));
    }
    if record.subnet_with(gateway).is_none() {
        return Err(invalid("its gateway is in no subnet of the network"));
    }
    Ok(Route { destination: destination.trunc(), gateway, metric })
}
