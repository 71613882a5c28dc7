//! What is answered to a query; decides, and does nothing.

use std::net::IpAddr;

use hickory_proto::op::ResponseCode;
use hickory_proto::rr::rdata::{A, AAAA, PTR};
use hickory_proto::rr::{DNSClass, Name as DnsName, RData, RecordType};

use super::answer::Answer;
use super::query::Query;
use crate::net::files::HOST_NAMES;
use crate::types::{Linked, Name};

/// The domain of all names of containers, podman's. Source: podman-network-create(1), `--disable-dns`.
const DOMAIN: &str = "dns.podman";

/// Who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Asker {
    /// Its networks; the one by which it asks is among them.
    pub(super) networks: Vec<Name>,
    /// Servers of its own, else those of the network; none: the host's.
    pub(super) dns: Vec<IpAddr>,
    /// Names that it alone has for others.
    pub(super) links: Vec<Linked>,
    /// One of its networks is not internal, or it has a helper of its own.
    pub(super) has_way_out: bool,
}

/// Who is in the networks.
pub(super) trait Names {
    /// Who asks from this address of the own network.
    fn asker(&mut self, address: IpAddr) -> Asker;
    /// The addresses of the members of `network` that have this name, in any case, in the order of the addresses.
    fn addresses(&mut self, network: &Name, name: &str) -> Vec<IpAddr>;
    /// The names of the member of `network` that has this address.
    fn names(&mut self, network: &Name, address: IpAddr) -> Vec<String>;
    /// Whether a member of `network` has this address.
    fn is_member(&mut self, network: &Name, address: IpAddr) -> bool;
    /// The network that is served.
    fn own(&self) -> &Name;
}

/// What to do with a query.
#[derive(Debug, PartialEq)]
pub(super) enum Decision {
    /// Answer it.
    Answer(Answer),
    /// Let a server outside answer it.
    Forward,
}

/// Decides about `query`. `outward` finds the host's outward address; with each `turn` the addresses of a name are in
/// another order.
pub(super) fn decide(
    query: &Query<'_>,
    asker: &Asker,
    names: &mut impl Names,
    outward: impl FnOnce() -> Option<IpAddr>,
    turn: usize,
) -> Decision {
    let elsewhere = || match asker.has_way_out && !is_below_domain(&query.question.name) {
        true => Decision::Forward,
        false => Decision::Answer(Answer::error(ResponseCode::NXDomain)),
    };
    if !matches!(query.question.query_class, DNSClass::IN | DNSClass::ANY) {
        return elsewhere();
    }
    let Some(text) = text_of(&query.question.name) else { return elsewhere() };
    let wanted = query.question.query_type;
    if let Some(address) = reversed(&query.question.name) {
        let found = asker.networks.iter().map(|network| names.names(network, address)).find(|names| !names.is_empty());
        return found.map_or_else(elsewhere, |names| Decision::Answer(Answer::of(pointers(&names, wanted))));
    }
    if HOST_NAMES.contains(&text.as_str()) {
        // Without a way out the host cannot be reached.
        let host = if asker.has_way_out { outward() } else { None };
        let answer = host.map_or(Answer::error(ResponseCode::NXDomain), |host| Answer::of(records(&[host], wanted)));
        return Decision::Answer(answer);
    }
    let mut addresses = own(&text, asker, names);
    if !addresses.is_empty() {
        let middle = turn % addresses.len();
        addresses.rotate_left(middle);
        return Decision::Answer(Answer::of(records(&addresses, wanted)));
    }
    elsewhere()
}

/// The addresses of all members that the asker may know by the name `text`: alone, below the name of a network, or
/// below [`DOMAIN`].
fn own(text: &str, asker: &Asker, names: &mut impl Names) -> Vec<IpAddr> {
    let below = |domain: &str| {
        let end = text.len().checked_sub(domain.len()).filter(|end| *end > 1)?;
        let (name, suffix) = text.split_at_checked(end)?;
        suffix.eq_ignore_ascii_case(domain).then_some(())?;
        name.strip_suffix('.')
    };
    let mut addresses = Vec::new();
    for network in &asker.networks {
        for name in [Some(text), below(DOMAIN), below(network.as_str())].into_iter().flatten() {
            // As in docker, a link hides others that have the name.
            let linked = asker.links.iter().find(|linked| linked.alias.as_str().eq_ignore_ascii_case(name));
            for address in names.addresses(network, linked.map_or(name, |linked| linked.to.as_str())) {
                if !addresses.contains(&address) {
                    addresses.push(address);
                }
            }
        }
    }
    addresses
}

/// A name as text in lower case, without the last dot. `None` if it has other characters than names of hosts and
/// containers have: a dot within a label would look like two labels.
fn text_of(name: &DnsName) -> Option<String> {
    let mut text = String::with_capacity(name.len());
    for label in name {
        if !text.is_empty() {
            text.push('.');
        }
        for byte in label {
            let is_plain = byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
            text.push(is_plain.then_some(char::from(byte.to_ascii_lowercase()))?);
        }
    }
    (!text.is_empty()).then_some(text)
}

/// Whether a name, of whatever characters, is [`DOMAIN`] or below it.
fn is_below_domain(name: &DnsName) -> bool {
    let labels: Vec<&[u8]> = name.iter().collect();
    let domain: Vec<&str> = DOMAIN.split('.').collect();
    let end = labels.len().checked_sub(domain.len()).and_then(|at| labels.get(at..));
    end.is_some_and(|end| end.iter().zip(domain).all(|(label, own)| label.eq_ignore_ascii_case(own.as_bytes())))
}

/// The address that a name of `in-addr.arpa` or `ip6.arpa` stands for.
fn reversed(name: &DnsName) -> Option<IpAddr> {
    let range = name.parse_arpa_name().ok()?;
    (range.prefix_len() == range.max_prefix_len()).then_some(range.addr())
}

fn pointers(names: &[String], wanted: RecordType) -> Vec<RData> {
    if !matches!(wanted, RecordType::PTR | RecordType::ANY) {
        return Vec::new();
    }
    // A name of a container may be longer than a label.
    let absolute = names.iter().filter_map(|name| DnsName::from_ascii(format!("{name}.")).ok());
    absolute.map(|name| RData::PTR(PTR(name))).collect()
}

fn records(addresses: &[IpAddr], wanted: RecordType) -> Vec<RData> {
    let record = |address: &IpAddr| match (wanted, *address) {
        (RecordType::A | RecordType::ANY, IpAddr::V4(ip)) => Some(RData::A(A(ip))),
        (RecordType::AAAA | RecordType::ANY, IpAddr::V6(ip)) => Some(RData::AAAA(AAAA(ip))),
        _ => None,
    };
    addresses.iter().filter_map(record).collect()
}
