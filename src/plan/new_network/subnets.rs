//! Which addresses a new network has.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use super::super::Error;
use super::{NetworkFacts, NetworkRequest};
use crate::types::{Invalid, LeaseRange, Subnet};

/// Subnets that nobody has asked for are /24s of these: podman's `default_subnet_pools`. Source: containers.conf(5).
const POOL: (Ipv4Addr, Ipv4Addr) = (Ipv4Addr::new(10, 89, 0, 0), Ipv4Addr::new(10, 255, 255, 0));

/// Addresses that mean something else: this host, groups, the own link, and IPv4 in the words of IPv6. Source:
/// ip(7), ipv6(7), the IANA's registries of special-purpose addresses.
const SPECIAL: [IpNet; 7] = [
    IpNet::V4(Ipv4Net::new_assert(Ipv4Addr::new(0, 0, 0, 0), 8)),
    IpNet::V4(Ipv4Net::new_assert(Ipv4Addr::new(127, 0, 0, 0), 8)),
    IpNet::V4(Ipv4Net::new_assert(Ipv4Addr::new(224, 0, 0, 0), 4)),
    IpNet::V6(Ipv6Net::new_assert(Ipv6Addr::UNSPECIFIED, 96)),
    IpNet::V6(Ipv6Net::new_assert(Ipv4Addr::UNSPECIFIED.to_ipv6_mapped(), 96)),
    IpNet::V6(Ipv6Net::new_assert(Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0), 10)),
    IpNet::V6(Ipv6Net::new_assert(Ipv6Addr::new(0xff00, 0, 0, 0, 0, 0, 0, 0), 8)),
];

/// The subnets that were asked for, and one for each family that has none.
pub(super) fn subnets(
    request: &NetworkRequest,
    facts: NetworkFacts<'_>,
    dns_enabled: bool,
) -> Result<Vec<Subnet>, Error> {
    let more = |what: &'static str, words: &[String]| match words.get(request.subnets.len()) {
        Some(word) => Err(Error::option(what)(Invalid::new("address", word, "there is no subnet for it"))),
        None => Ok(()),
    };
    more("--gateway", &request.gateways)?;
    more("--ip-range", &request.ranges)?;
    // A bridge without a way out and without DNS needs no address. Source: podman, `ValidateSubnet`.
    let has_gateway = !request.internal || dns_enabled;
    let mut subnets: Vec<Subnet> = Vec::new();
    for (number, text) in request.subnets.iter().enumerate() {
        let subnet = read(text)?;
        if let Some(other) = subnets.iter().find(|other| overlap(&other.subnet, &subnet)) {
            let reason = format!("it overlaps with {}", other.subnet);
            return Err(Error::option("--subnet")(Invalid::new("subnet", text, reason)));
        }
        check_free(text, &subnet, facts)?;
        let gateway = match request.gateways.get(number).filter(|text| !text.is_empty()) {
            Some(text) => Some(gateway(text, &subnet)?),
            None if has_gateway => Some(first(&subnet)),
            None => None,
        };
        let lease_range = request
            .ranges
            .get(number)
            .filter(|text| !text.is_empty())
            .map(|text| range(text, &subnet, gateway))
            .transpose()?;
        subnets.push(Subnet { gateway, lease_range, ..Subnet::whole(subnet) });
    }
    let has = |subnets: &[Subnet], is_ipv6| subnets.iter().any(|subnet| subnet.subnet.addr().is_ipv6() == is_ipv6);
    let whole = |subnet: IpNet| Subnet { gateway: has_gateway.then(|| first(&subnet)), ..Subnet::whole(subnet) };
    if subnets.is_empty() && request.ipv4 != Some(false) {
        subnets.push(whole(free_ipv4(facts)?));
    }
    if request.ipv6 && !has(&subnets, true) {
        subnets.push(whole(free_ipv6(facts)));
    }
    match (subnets.is_empty(), request.ipv4) {
        (true, _) => Err(Error::option("--ipv4")(Invalid::new("value", "false", "the network has no IPv6 either"))),
        (false, Some(false)) if has(&subnets, false) => {
            Err(Error::option("--ipv4")(Invalid::new("value", "false", "one of its subnets is IPv4")))
        }
        _ => Ok(subnets),
    }
}

/// Reads a subnet; bits after the prefix count as zero, as in podman and docker.
fn read(text: &str) -> Result<IpNet, Error> {
    let invalid = |reason: &str| Error::option("--subnet")(Invalid::new("subnet", text, reason));
    let subnet: IpNet = text.parse().map_err(|_| invalid("it must be ADDRESS/LENGTH, such as 10.89.0.0/24"))?;
    let subnet = subnet.trunc();
    if subnet.prefix_len() + 2 > subnet.max_prefix_len() {
        return Err(invalid("it has no room for a gateway and a container"));
    }
    if subnet.prefix_len() == 0 {
        return Err(invalid("it is the whole internet"));
    }
    if SPECIAL.iter().any(|special| overlap(special, &subnet)) {
        return Err(invalid("no container can have such addresses"));
    }
    Ok(subnet)
}

fn gateway(text: &str, subnet: &IpNet) -> Result<IpAddr, Error> {
    let invalid = |reason: String| Error::option("--gateway")(Invalid::new("gateway", text, reason));
    let gateway: IpAddr = text.parse().map_err(|_| invalid("must be an IP address".to_owned()))?;
    if !subnet.contains(&gateway) {
        return Err(invalid(format!("must be in the subnet {subnet}")));
    }
    if gateway == subnet.network() || gateway.is_ipv4() && gateway == subnet.broadcast() {
        return Err(invalid(format!("cannot be the first or the last address of {subnet}")));
    }
    Ok(gateway)
}

/// A prefix in the subnet, or `FIRST-LAST`. Source: podman-network-create(1), `--ip-range`.
fn range(text: &str, subnet: &IpNet, gateway: Option<IpAddr>) -> Result<LeaseRange, Error> {
    let invalid = |reason: String| Error::option("--ip-range")(Invalid::new("range", text, reason));
    let form = || invalid("it must be a prefix, or FIRST-LAST".to_owned());
    let (start, end) = match (text.split_once('-'), text.parse::<IpNet>()) {
        (Some((start, end)), _) => {
            (start.parse::<IpAddr>().map_err(|_| form())?, end.parse::<IpAddr>().map_err(|_| form())?)
        }
        // So few that none is left out: of a /32 the address itself.
        (None, Ok(part)) if part.max_prefix_len() - part.prefix_len() < 2 => (part.network(), part.broadcast()),
        // As podman has it: all but the address of the network.
        (None, Ok(part)) => (first(&part.trunc()), part.broadcast()),
        (None, Err(_)) => return Err(form()),
    };
    if let Some(outside) = [start, end].iter().find(|ip| !subnet.contains(*ip)) {
        return Err(invalid(format!("{outside} is not in the subnet {subnet}")));
    }
    if start > end {
        return Err(invalid("its end is before its start".to_owned()));
    }
    // Others leave something over, if little.
    let whole = Subnet { gateway, ..Subnet::whole(*subnet) };
    if start == end && !whole.is_for_members(start) {
        return Err(invalid(format!(
            "its only address, {start}, cannot be a container's: it is the gateway's, the network's or the broadcast \
             address"
        )));
    }
    Ok(LeaseRange { start_ip: Some(start), end_ip: Some(end) })
}

/// Refuses a subnet that another network or a route of the host has.
fn check_free(text: &str, subnet: &IpNet, facts: NetworkFacts<'_>) -> Result<(), Error> {
    let refuse = |reason: String| Err(Error::option("--subnet")(Invalid::new("subnet", text, reason)));
    for network in facts.others {
        if let Some(other) = network.subnets.iter().find(|other| overlap(&other.subnet, subnet)) {
            return refuse(format!("the network `{}` has {}", network.name, other.subnet));
        }
    }
    match facts.host.iter().find(|route| overlap(route, subnet)) {
        Some(route) => refuse(format!("the host has a route to {route}, which containers could not reach")),
        None => Ok(()),
    }
}

fn free_ipv4(facts: NetworkFacts<'_>) -> Result<IpNet, Error> {
    let (begin, end) = (POOL.0.to_bits(), POOL.1.to_bits());
    let all = (begin..=end).step_by(256).map(|bits| IpNet::V4(Ipv4Net::new_assert(Ipv4Addr::from_bits(bits), 24)));
    all.into_iter().find(|subnet| is_free(subnet, facts)).ok_or(Error::NoSubnet)
}

/// A /64 with a random prefix. Source: RFC 4193.
fn free_ipv6(facts: NetworkFacts<'_>) -> IpNet {
    let mut bytes = [0; 16];
    bytes[0] = 0xfd;
    bytes[1..8].copy_from_slice(&facts.prefix);
    let start = Ipv6Addr::from(bytes).to_bits();
    // The next one, in case that somebody has it: as likely as a lottery.
    let at = |step: u128| IpNet::V6(Ipv6Net::new_assert(Ipv6Addr::from_bits(start ^ (step << 64)), 64));
    (0..256).map(at).find(|subnet| is_free(subnet, facts)).unwrap_or_else(|| at(0))
}

fn is_free(subnet: &IpNet, facts: NetworkFacts<'_>) -> bool {
    let mut subnets = facts.others.iter().flat_map(|network| &network.subnets).map(|other| &other.subnet);
    !subnets.any(|other| overlap(other, subnet)) && !facts.host.iter().any(|route| overlap(route, subnet))
}

/// The first address after that of the network.
fn first(subnet: &IpNet) -> IpAddr {
    match subnet.network() {
        IpAddr::V4(ip) => Ipv4Addr::from_bits(ip.to_bits().saturating_add(1)).into(),
        IpAddr::V6(ip) => Ipv6Addr::from_bits(ip.to_bits().saturating_add(1)).into(),
    }
}

fn overlap(one: &IpNet, other: &IpNet) -> bool {
    one.contains(other) || other.contains(one)
}
