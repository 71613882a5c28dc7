//! The requests that rc makes of rtnetlink(7).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::fd::{AsRawFd as _, BorrowedFd};

use ipnet::IpNet;
use netlink_packet_core::{NLM_F_CREATE, NLM_F_EXCL};
use netlink_packet_route::address::{AddressAttribute, AddressHeaderFlags, AddressMessage};
use netlink_packet_route::link::{InfoData, InfoKind, InfoVeth, LinkAttribute, LinkFlags, LinkInfo, LinkMessage};
use netlink_packet_route::route::{RouteAttribute, RouteHeader, RouteMessage, RouteProtocol, RouteScope, RouteType};
use netlink_packet_route::rule::{RuleAction, RuleAttribute, RuleMessage};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};

use super::Request;
use crate::types::{MacAddress, NetworkAddress};

/// A request of rtnetlink(7).
pub(in crate::net) type Asked = Request<RouteNetlinkMessage>;

/// `NLM_F_CREATE | NLM_F_EXCL`: what exists already is an error.
const NEW: u16 = NLM_F_CREATE | NLM_F_EXCL;

/// The loopback interface, in every network namespace.
pub(in crate::net) const LOOPBACK: u32 = 1;

/// A pair of virtual interfaces: one here, a port of a bridge, and its peer in another network namespace.
#[derive(Debug)]
pub(in crate::net) struct Veth<'a> {
    /// The name here.
    pub(in crate::net) name: &'a str,
    /// The bridge's index here.
    pub(in crate::net) bridge: u32,
    /// The name there.
    pub(in crate::net) peer: &'a str,
    /// The MAC address there.
    pub(in crate::net) mac: MacAddress,
    /// The network namespace of the peer.
    pub(in crate::net) namespace: BorrowedFd<'a>,
    /// Bytes.
    pub(in crate::net) mtu: u32,
}

impl Veth<'_> {
    /// Creates it. The interface here is up; the peer cannot be, before it exists.
    pub(in crate::net) fn create(&self) -> Asked {
        let mut peer = LinkMessage::default();
        peer.attributes = vec![
            LinkAttribute::IfName(self.peer.to_owned()),
            LinkAttribute::Mtu(self.mtu),
            LinkAttribute::Address(self.mac.bytes().to_vec()),
            LinkAttribute::NetNsFd(self.namespace.as_raw_fd()),
        ];
        peer.attributes.extend(one_queue());
        let mut link = up_message();
        link.attributes = vec![
            LinkAttribute::IfName(self.name.to_owned()),
            LinkAttribute::Mtu(self.mtu),
            LinkAttribute::Controller(self.bridge),
            LinkAttribute::LinkInfo(vec![
                LinkInfo::Kind(InfoKind::Veth),
                LinkInfo::Data(InfoData::Veth(InfoVeth::Peer(peer))),
            ]),
        ];
        link.attributes.extend(one_queue());
        Request { step: "create a veth pair", message: RouteNetlinkMessage::NewLink(link), flags: NEW }
    }
}

/// One queue each way instead of one for each CPU, which all have entries in sysfs: with two CPUs they are a third of
/// the time that a pair takes. One is as fast: veth has no lock and no memory for a queue, and hands a packet over on
/// the CPU that sends it (the kernel's drivers/net/veth.c).
fn one_queue() -> [LinkAttribute; 2] {
    [LinkAttribute::NumTxQueues(1), LinkAttribute::NumRxQueues(1)]
}

/// Creates a bridge, up, as the interface `index`. Its own MAC address keeps it from taking that of one of its ports,
/// and another one when that goes.
pub(in crate::net) fn bridge(name: &str, index: u32, mac: Option<MacAddress>, mtu: u32) -> Asked {
    let mut link = up_message();
    link.header.index = index;
    link.attributes = vec![
        LinkAttribute::IfName(name.to_owned()),
        LinkAttribute::Mtu(mtu),
        LinkAttribute::LinkInfo(vec![LinkInfo::Kind(InfoKind::Bridge)]),
    ];
    link.attributes.extend(mac.map(|mac| LinkAttribute::Address(mac.bytes().to_vec())));
    Request { step: "create a bridge", message: RouteNetlinkMessage::NewLink(link), flags: NEW }
}

fn up_message() -> LinkMessage {
    let mut link = LinkMessage::default();
    link.header.flags = LinkFlags::Up;
    link.header.change_mask = LinkFlags::Up;
    link
}

/// Brings an interface up.
pub(in crate::net) fn up(index: u32) -> Asked {
    let mut link = up_message();
    link.header.index = index;
    Request { step: "bring an interface up", message: RouteNetlinkMessage::SetLink(link), flags: 0 }
}

/// Removes an interface, and the other one of its pair.
pub(in crate::net) fn remove(name: &str) -> Asked {
    let mut link = LinkMessage::default();
    link.attributes = vec![LinkAttribute::IfName(name.to_owned())];
    Request { step: "remove an interface", message: RouteNetlinkMessage::DelLink(link), flags: 0 }
}

/// Gives an interface an address. An IPv6 address can be used at once: rc knows that nobody else has it.
pub(in crate::net) fn address(index: u32, NetworkAddress { ip, prefix }: NetworkAddress) -> Asked {
    let mut message = AddressMessage::default();
    message.header.family = family(ip);
    message.header.prefix_len = prefix;
    message.header.index = index;
    message.attributes = vec![AddressAttribute::Local(ip), AddressAttribute::Address(ip)];
    match ip {
        IpAddr::V4(ip) if prefix < 31 => {
            let all = Ipv4Addr::from_bits(ip.to_bits() | u32::MAX.checked_shr(prefix.into()).unwrap_or(0));
            message.attributes.push(AddressAttribute::Broadcast(all));
        }
        IpAddr::V4(_) => {}
        IpAddr::V6(_) => message.header.flags = AddressHeaderFlags::Nodad,
    }
    Request { step: "add an address", message: RouteNetlinkMessage::NewAddress(message), flags: NEW }
}

/// A route in the main table.
#[derive(Debug, Clone, Copy)]
pub(in crate::net) struct Route {
    /// Where to: an address of the network, and the length of its prefix; 0 is everywhere.
    pub(in crate::net) to: NetworkAddress,
    /// Through which host.
    pub(in crate::net) gateway: IpAddr,
    /// Of two routes the one with the lower metric counts.
    pub(in crate::net) metric: Option<u32>,
}

impl Route {
    /// The default route of the gateway's family.
    pub(in crate::net) fn default(gateway: IpAddr, metric: Option<u32>) -> Self {
        Self { to: NetworkAddress { ip: unspecified(gateway), prefix: 0 }, gateway, metric }
    }

    /// Adds it.
    pub(in crate::net) fn add(self) -> Asked {
        Request { step: "add a route", message: RouteNetlinkMessage::NewRoute(self.message()), flags: NEW }
    }

    fn message(self) -> RouteMessage {
        let mut message = route(self.to, RouteType::Unicast, RouteScope::Universe);
        message.attributes.push(RouteAttribute::Gateway(self.gateway.into()));
        message.attributes.extend(self.metric.map(RouteAttribute::Priority));
        message
    }
}

/// A route to neighbours: those in `net` are on the interface's own link.
pub(in crate::net) fn on_link(index: u32, net: IpNet, metric: u32) -> Asked {
    let to = NetworkAddress { ip: net.network(), prefix: net.prefix_len() };
    let mut message = route(to, RouteType::Unicast, RouteScope::Universe);
    message.attributes.extend([RouteAttribute::Oif(index), RouteAttribute::Priority(metric)]);
    Request { step: "add a route", message: RouteNetlinkMessage::NewRoute(message), flags: NEW }
}

fn route(to: NetworkAddress, kind: RouteType, scope: RouteScope) -> RouteMessage {
    let mut message = RouteMessage::default();
    message.header.address_family = family(to.ip);
    message.header.destination_prefix_length = to.prefix;
    message.header.table = RouteHeader::RT_TABLE_MAIN;
    message.header.protocol = RouteProtocol::Static;
    message.header.scope = scope;
    message.header.kind = kind;
    if to.prefix > 0 {
        message.attributes.push(RouteAttribute::Destination(to.ip.into()));
    }
    message
}

/// Packets of either family with the firewall mark `mark` are for this network namespace, whatever address they are
/// sent to: they are answers to a client's own address, by which a relay has connected (`IP_TRANSPARENT`). `table` is
/// a table of routes that nothing else uses. Source: the kernel's tproxy.rst.
pub(in crate::net) fn answers_are_local(mark: u32, table: u8) -> Vec<Asked> {
    let both = [IpAddr::from(Ipv4Addr::UNSPECIFIED), IpAddr::from(Ipv6Addr::UNSPECIFIED)];
    both.into_iter()
        .flat_map(|ip| {
            let mut rule = RuleMessage::default();
            rule.header.family = family(ip);
            rule.header.table = table;
            rule.header.action = RuleAction::ToTable;
            rule.attributes = vec![RuleAttribute::FwMark(mark)];
            let mut here = route(NetworkAddress { ip, prefix: 0 }, RouteType::Local, RouteScope::Host);
            here.header.table = table;
            here.attributes.push(RouteAttribute::Oif(LOOPBACK));
            [
                Request { step: "add a routing rule", message: RouteNetlinkMessage::NewRule(rule), flags: NEW },
                Request { step: "add a route", message: RouteNetlinkMessage::NewRoute(here), flags: NEW },
            ]
        })
        .collect()
}

fn family(ip: IpAddr) -> AddressFamily {
    if ip.is_ipv4() { AddressFamily::Inet } else { AddressFamily::Inet6 }
}

fn unspecified(like: IpAddr) -> IpAddr {
    if like.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() }
}
