//! The requests that rc makes of rtnetlink(7).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use netlink_packet_core::{NLM_F_CREATE, NLM_F_EXCL};
use netlink_packet_route::route::{RouteAttribute, RouteMessage, RouteProtocol, RouteScope, RouteType};
use netlink_packet_route::rule::{RuleAction, RuleAttribute, RuleMessage};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};

use super::Request;

/// A request of rtnetlink(7).
pub(in crate::net) type Asked = Request<RouteNetlinkMessage>;

/// `NLM_F_CREATE | NLM_F_EXCL`: what exists already is an error.
const NEW: u16 = NLM_F_CREATE | NLM_F_EXCL;

/// The loopback interface, in every network namespace.
pub(in crate::net) const LOOPBACK: u32 = 1;

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
            let mut here = RouteMessage::default();
            here.header.address_family = family(ip);
            here.header.table = table;
            here.header.protocol = RouteProtocol::Static;
            here.header.scope = RouteScope::Host;
            here.header.kind = RouteType::Local;
            here.attributes = vec![RouteAttribute::Oif(LOOPBACK)];
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
