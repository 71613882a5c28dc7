//! Addresses inside a container's network namespace, for `inspect`, `/etc/hosts` and `resolv.conf`.

use std::net::{IpAddr, Ipv4Addr, UdpSocket};

use crate::types::{Network, NetworkDriver, Slirp4netnsOptions};

/// The addresses that a driver gives the container.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Addresses {
    /// The container's own address.
    pub(crate) ip: Ipv4Addr,
    /// The length of the network's prefix, in bits.
    pub(crate) prefix: u8,
    /// The default gateway.
    pub(crate) gateway: Ipv4Addr,
    /// A name server that forwards to the host's current name servers.
    pub(crate) name_server: Ipv4Addr,
}

/// Both drivers use slirp4netns' network, so that a container does not notice the difference, and so that the host's
/// outward address is never the container's own (pasta's default): it means the host with both drivers.
pub(super) const USER_MODE: Addresses = Addresses {
    ip: Ipv4Addr::new(10, 0, 2, 100),
    prefix: 24,
    gateway: Ipv4Addr::new(10, 0, 2, 2),
    name_server: Ipv4Addr::new(10, 0, 2, 3),
};

/// The interface inside.
pub(crate) const INTERFACE: &str = "eth0";

/// The addresses of the container's first endpoint; `None` if the container has no network of its own, or one whose
/// addresses are unknown before it is connected.
pub(crate) fn of(network: &Network) -> Option<Addresses> {
    let endpoint = network.endpoints().first()?;
    match endpoint.driver {
        NetworkDriver::Slirp4netns => Some(of_slirp4netns(&Slirp4netnsOptions::read(&endpoint.options).ok()?)),
        NetworkDriver::Pasta => Some(USER_MODE),
        NetworkDriver::Bridge => None,
    }
}

/// The addresses in slirp4netns' network.
pub(super) fn of_slirp4netns(options: &Slirp4netnsOptions) -> Addresses {
    let (network, prefix) = options.cidr;
    in_range(network, prefix)
}

/// The addresses in a network that a helper has. Source: slirp4netns(1), "Default configuration".
pub(super) fn in_range(network: Ipv4Addr, prefix: u8) -> Addresses {
    let at = |offset| Ipv4Addr::from_bits(network.to_bits() | offset);
    Addresses { ip: at(100), prefix, gateway: at(2), name_server: at(3) }
}

/// The host's outward address, if it has one: what `host.containers.internal` means.
///
/// Sends no packet: connecting a datagram socket only chooses a route. The peer is in TEST-NET-3 (RFC 5737), which no
/// host has, so the route is the default one.
pub(crate) fn outward() -> Option<IpAddr> {
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).ok()?;
    socket.connect((Ipv4Addr::new(203, 0, 113, 1), 9)).ok()?;
    let address = socket.local_addr().ok()?.ip();
    (!address.is_loopback() && !address.is_unspecified()).then_some(address)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_addresses_are_those_of_the_network_that_was_asked_for() {
        let of = |text: &str| of(&text.parse().expect("a network"));
        assert_eq!(of("slirp4netns"), Some(USER_MODE));
        assert_eq!(of("pasta:--mtu,1400"), Some(USER_MODE));
        let other = of("slirp4netns:cidr=10.9.0.0/16").expect("addresses");
        assert_eq!((other.ip, other.prefix), (Ipv4Addr::new(10, 9, 0, 100), 16));
        assert_eq!((other.gateway, other.name_server), (Ipv4Addr::new(10, 9, 0, 2), Ipv4Addr::new(10, 9, 0, 3)));
    }
}
