//! The container's side: by which address the relay connects to the server inside.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::os::fd::{AsFd, OwnedFd};

use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, connect, socket_with, sockopt};

use crate::net::addresses::Addresses;
use crate::sys::transparent;

/// How answers to a client's own address come back to the relay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Answers {
    /// Not at all: the relay connects by an address that the network namespace has.
    Lost,
    /// The relay's packets have this mark, and so have the answers ([`super::marked`]). Those of UDP are lost.
    Marked(u32),
    /// The network's packet filter knows them by the relay's socket (`net::filter`).
    Filtered,
}

/// An address of the container.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Reach {
    /// The address.
    pub(crate) ip: IpAddr,
    /// The length of its network's prefix.
    pub(crate) prefix: u8,
    /// The network's gateway.
    pub(crate) gateway: Option<IpAddr>,
}

impl From<Addresses> for Reach {
    fn from(Addresses { ip, prefix, gateway, .. }: Addresses) -> Self {
        Self { ip: ip.into(), prefix, gateway: Some(gateway.into()) }
    }
}

impl Reach {
    /// Whether the container's own subnet has this address.
    fn is_near(&self, ip: IpAddr) -> bool {
        let shift = |bits: u8| u32::from(bits.saturating_sub(self.prefix));
        match (ip, self.ip) {
            (IpAddr::V4(ip), IpAddr::V4(own)) => (ip.to_bits() ^ own.to_bits()).checked_shr(shift(32)) == Some(0),
            (IpAddr::V6(ip), IpAddr::V6(own)) => (ip.to_bits() ^ own.to_bits()).checked_shr(shift(128)) == Some(0),
            _ => false,
        }
    }
}

/// The container, as the relay sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Inside {
    /// One address for each family that the container has, at least one.
    first: Reach,
    second: Option<Reach>,
    pub(super) answers: Answers,
}

impl Inside {
    /// A container with these addresses, of which the first of each family counts; `None` without any. `answers` is
    /// what its network does.
    pub(super) fn new(reaches: impl IntoIterator<Item = Reach>, answers: Answers) -> Option<Self> {
        let mut reaches = reaches.into_iter();
        let first = reaches.next()?;
        let second = reaches.find(|reach| reach.ip.is_ipv4() != first.ip.is_ipv4());
        Some(Self { first, second, answers })
    }

    /// The address for a client of that family: one of the same, if the container has it.
    fn reach(&self, client: SocketAddr) -> &Reach {
        match &self.second {
            Some(second) if second.ip.is_ipv4() == client.is_ipv4() => second,
            _ => &self.first,
        }
    }

    /// The address by which the relay connects for `client`: its own, unless that means something else inside, or is of
    /// another family; then the gateway's. `None` if the kernel must choose.
    fn source(&self, client: SocketAddr, reach: &Reach) -> Option<SocketAddr> {
        if self.answers == Answers::Lost {
            return None;
        }
        let ip = client.ip();
        let all = [Some(&self.first), self.second.as_ref()];
        let is_near = all.into_iter().flatten().any(|reach| reach.is_near(ip));
        let means_another = ip.is_loopback() || ip.is_unspecified() || is_link_local(ip) || is_near;
        let is_own = ip.is_ipv4() == reach.ip.is_ipv4() && !means_another;
        Some(SocketAddr::new(if is_own { ip } else { reach.gateway? }, client.port()))
    }

    /// Connects to the server at `port` for `client`, and does not wait until it has answered.
    ///
    /// The client's port is kept, too, unless it has a connection with it to that server already: two published ports
    /// may lead to one.
    pub(super) fn dial(&self, client: SocketAddr, port: u16) -> io::Result<OwnedFd> {
        let reach = self.reach(client);
        let server = SocketAddr::new(reach.ip, port);
        let Some(source) = self.source(client, reach) else { return Ok(self.connect(None, server)?) };
        match self.connect(Some(source), server) {
            Err(Errno::ADDRINUSE | Errno::ADDRNOTAVAIL | Errno::ACCESS) => {
                Ok(self.connect(Some(SocketAddr::new(source.ip(), 0)), server)?)
            }
            other => Ok(other?),
        }
    }

    fn connect(&self, source: Option<SocketAddr>, server: SocketAddr) -> Result<OwnedFd, Errno> {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let socket = socket_with(family(server), SocketType::STREAM, flags, None)?;
        sockopt::set_tcp_nodelay(&socket, true)?;
        if let Some(source) = source {
            if let Answers::Marked(mark) = self.answers {
                transparent::set_mark(&socket, mark).map_err(|error| errno(&error))?;
            }
            bind_as(&socket, source)?;
        }
        match connect(&socket, &server) {
            Ok(()) | Err(Errno::INPROGRESS) => Ok(socket),
            Err(errno) => Err(errno),
        }
    }

    /// A socket for datagrams of `client` to the server at `port`. `keeps_port` is false if the client has one to that
    /// server already, by another published port.
    pub(super) fn dial_datagrams(&self, client: SocketAddr, port: u16, keeps_port: bool) -> io::Result<UdpSocket> {
        let reach = self.reach(client);
        let server = SocketAddr::new(reach.ip, port);
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let open = || socket_with(family(server), SocketType::DGRAM, flags, None);
        let mut socket = open()?;
        match self.source(client, reach).filter(|_| self.answers == Answers::Filtered) {
            None => {
                let any: IpAddr =
                    if server.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
                bind(&socket, &SocketAddr::new(any, 0))?;
            }
            Some(source) => {
                let port = if keeps_port { source.port() } else { 0 };
                if bind_as(&socket, SocketAddr::new(source.ip(), port)).is_err() {
                    socket = open()?;
                    bind_as(&socket, SocketAddr::new(source.ip(), 0))?;
                }
            }
        }
        connect(&socket, &server)?;
        Ok(UdpSocket::from(socket))
    }
}

/// Binds an address that need not be this network namespace's; port 0 is any that is free.
fn bind_as(socket: impl AsFd, source: SocketAddr) -> Result<(), Errno> {
    transparent::set_transparent(&socket, source.is_ipv4()).map_err(|error| errno(&error))?;
    if source.port() == 0 {
        transparent::choose_port_late(&socket).map_err(|error| errno(&error))?;
    } else {
        sockopt::set_socket_reuseaddr(&socket, true)?;
    }
    bind(&socket, &source)
}

fn errno(error: &io::Error) -> Errno {
    Errno::from_io_error(error).unwrap_or(Errno::INVAL)
}

fn family(address: SocketAddr) -> AddressFamily {
    if address.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 }
}

fn is_link_local(ip: IpAddr) -> bool {
    matches!(ip, IpAddr::V6(ip) if ip.is_unicast_link_local())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::addresses::USER_MODE;

    fn sources(inside: &Inside, cases: &[(&str, Option<&str>)]) {
        for (client, expected) in cases {
            let client: SocketAddr = client.parse().expect("an address");
            let source = inside.source(client, inside.reach(client)).map(|source| source.to_string());
            assert_eq!(source.as_deref(), *expected, "{client}");
        }
    }

    #[test]
    fn a_client_keeps_its_address_unless_that_means_something_else_inside() {
        let inside = Inside::new([USER_MODE.into()], Answers::Marked(1)).expect("an address");
        let cases = [
            ("192.0.2.7:40000", Some("192.0.2.7:40000")),
            ("10.0.3.1:1", Some("10.0.3.1:1")),
            ("127.0.0.1:40000", Some("10.0.2.2:40000")),
            ("127.9.9.9:40000", Some("10.0.2.2:40000")),
            ("10.0.2.100:40000", Some("10.0.2.2:40000")),
            ("10.0.2.7:40000", Some("10.0.2.2:40000")),
            ("[::1]:40000", Some("10.0.2.2:40000")),
            ("[2001:db8::1]:40000", Some("10.0.2.2:40000")),
        ];
        sources(&inside, &cases);
        let lost = Inside::new([USER_MODE.into()], Answers::Lost).expect("an address");
        sources(&lost, &[("192.0.2.7:40000", None)]);
    }

    #[test]
    fn each_family_has_its_own_way_if_the_container_has_both() {
        let ip = |text: &str| text.parse::<IpAddr>().expect("an address");
        let six = Reach { ip: ip("fd00::100"), prefix: 64, gateway: Some(ip("fd00::2")) };
        let inside = Inside::new([six, USER_MODE.into()], Answers::Filtered).expect("an address");
        let cases = [
            ("[2001:db8::1]:40000", Some("[2001:db8::1]:40000")),
            ("[fd00:0:0:1::1]:9", Some("[fd00:0:0:1::1]:9")),
            ("[fd00::7]:9", Some("[fd00::2]:9")),
            ("[fe80::7]:9", Some("[fd00::2]:9")),
            ("[::1]:9", Some("[fd00::2]:9")),
            ("192.0.2.7:40000", Some("192.0.2.7:40000")),
            ("10.0.2.7:40000", Some("10.0.2.2:40000")),
        ];
        sources(&inside, &cases);
        let six_alone = Inside::new([six], Answers::Filtered).expect("an address");
        sources(&six_alone, &[("192.0.2.7:40000", Some("[fd00::2]:40000"))]);
    }
}
