//! Names and numbers in the namespace of a network on which several parts agree.

use std::net::Ipv6Addr;

use ipnet::Ipv6Net;

/// The interface of the way out.
pub(super) const TAP: &str = "tap0";

/// The network of slirp4netns for IPv6, which cannot be chosen. Source: slirp4netns.c, `vprefix_addr6`.
pub(super) const SLIRP6: Ipv6Net = Ipv6Net::new_assert(Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, 0), 64);

/// The size of packets on the interfaces of a network whose record has none: the most that slirp4netns carries without
/// stalls (slirp4netns#284). Between containers it does not matter.
pub(super) const MTU: u32 = 16_000;

/// The firewall mark of packets for a transparent socket.
pub(super) const MARK: u32 = 1;

/// The table of routes for packets with [`MARK`].
pub(super) const TABLE: u8 = 100;
