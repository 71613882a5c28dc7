//! The container's side: by which address the relay connects to the server inside.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::OwnedFd;

use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, connect, socket_with, sockopt};

use crate::net::addresses::Addresses;
use crate::sys::transparent;

/// How answers to a client's own address come back to the relay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Answers {
    /// Not at all: the relay connects by an address that the network namespace has.
    Lost,
    /// The relay's packets have this mark, and so have the answers ([`super::marked`]).
    Marked(u32),
}

/// The container, as the relay sees it.
#[derive(Debug, Clone)]
pub(crate) struct Inside {
    ip: IpAddr,
    prefix: u8,
    gateway: IpAddr,
    answers: Answers,
}

impl Inside {
    /// A container with these addresses.
    pub(crate) fn new(addresses: &Addresses) -> Self {
        let Addresses { ip, prefix, gateway, .. } = *addresses;
        Self { ip: ip.into(), prefix, gateway: gateway.into(), answers: Answers::Lost }
    }

    /// The same, with another way for answers.
    pub(super) fn with(self, answers: Answers) -> Self {
        Self { answers, ..self }
    }

    /// The address of the server at `port`.
    pub(super) fn server(&self, port: u16) -> SocketAddr {
        SocketAddr::new(self.ip, port)
    }

    /// The address by which the relay connects for `client`: its own, unless that means something else inside, or is of
    /// another family; then the gateway's. `None` if the kernel must choose.
    fn source(&self, client: SocketAddr) -> Option<SocketAddr> {
        if self.answers == Answers::Lost {
            return None;
        }
        let ip = client.ip();
        let means_another = ip.is_loopback() || ip.is_unspecified() || is_link_local(ip) || self.is_near(ip);
        let is_own = ip.is_ipv4() == self.ip.is_ipv4() && !means_another;
        Some(SocketAddr::new(if is_own { ip } else { self.gateway }, client.port()))
    }

    /// Whether the container's own subnet has this address.
    fn is_near(&self, ip: IpAddr) -> bool {
        let shift = |bits: u8| u32::from(bits.saturating_sub(self.prefix));
        match (ip, self.ip) {
            (IpAddr::V4(ip), IpAddr::V4(own)) => (ip.to_bits() ^ own.to_bits()).checked_shr(shift(32)) == Some(0),
            (IpAddr::V6(ip), IpAddr::V6(own)) => (ip.to_bits() ^ own.to_bits()).checked_shr(shift(128)) == Some(0),
            _ => false,
        }
    }

    /// Connects to the server at `port` for `client`, and does not wait until it has answered.
    ///
    /// The client's port is kept, too, unless it has a connection with it to that server already: two published ports
    /// may lead to one.
    pub(super) fn dial(&self, client: SocketAddr, port: u16) -> io::Result<OwnedFd> {
        let Some(source) = self.source(client) else { return Ok(self.connect(None, port)?) };
        match self.connect(Some(source), port) {
            Err(Errno::ADDRINUSE | Errno::ADDRNOTAVAIL | Errno::ACCESS) => {
                Ok(self.connect(Some(SocketAddr::new(source.ip(), 0)), port)?)
            }
            other => Ok(other?),
        }
    }

    fn connect(&self, source: Option<SocketAddr>, port: u16) -> Result<OwnedFd, Errno> {
        let family = if self.ip.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
        let socket = socket_with(family, SocketType::STREAM, SocketFlags::CLOEXEC | SocketFlags::NONBLOCK, None)?;
        sockopt::set_tcp_nodelay(&socket, true)?;
        if let Some(source) = source {
            let errno = |error: io::Error| Errno::from_io_error(&error).unwrap_or(Errno::INVAL);
            transparent::set_transparent(&socket, source.is_ipv4()).map_err(errno)?;
            if let Answers::Marked(mark) = self.answers {
                transparent::set_mark(&socket, mark).map_err(errno)?;
            }
            sockopt::set_socket_reuseaddr(&socket, true)?;
            if source.port() == 0 {
                transparent::choose_port_late(&socket).map_err(errno)?;
            }
            bind(&socket, &source)?;
        }
        match connect(&socket, &self.server(port)) {
            Ok(()) | Err(Errno::INPROGRESS) => Ok(socket),
            Err(errno) => Err(errno),
        }
    }
}

fn is_link_local(ip: IpAddr) -> bool {
    matches!(ip, IpAddr::V6(ip) if ip.is_unicast_link_local())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::addresses::USER_MODE;

    #[test]
    fn a_client_keeps_its_address_unless_that_means_something_else_inside() {
        let inside = Inside { answers: Answers::Marked(1), ..Inside::new(&USER_MODE) };
        let source = |client: &str| inside.source(client.parse().expect("an address")).map(|from| from.to_string());
        for (client, expected) in [
            ("192.0.2.7:40000", "192.0.2.7:40000"),
            ("10.0.3.1:1", "10.0.3.1:1"),
            ("127.0.0.1:40000", "10.0.2.2:40000"),
            ("127.9.9.9:40000", "10.0.2.2:40000"),
            ("10.0.2.100:40000", "10.0.2.2:40000"),
            ("10.0.2.7:40000", "10.0.2.2:40000"),
            ("[::1]:40000", "10.0.2.2:40000"),
            ("[2001:db8::1]:40000", "10.0.2.2:40000"),
        ] {
            assert_eq!(source(client).as_deref(), Some(expected), "{client}");
        }
        let six = Inside {
            ip: "fd00::100".parse().expect("an address"),
            prefix: 64,
            gateway: "fd00::2".parse().expect("an address"),
            answers: Answers::Marked(1),
        };
        let source = |client: &str| six.source(client.parse().expect("an address")).map(|from| from.to_string());
        for (client, expected) in [
            ("[2001:db8::1]:40000", "[2001:db8::1]:40000"),
            ("[fd00:0:0:1::1]:9", "[fd00:0:0:1::1]:9"),
            ("[fd00::7]:9", "[fd00::2]:9"),
            ("[fe80::7]:9", "[fd00::2]:9"),
            ("[::1]:9", "[fd00::2]:9"),
            ("192.0.2.7:40000", "[fd00::2]:40000"),
        ] {
            assert_eq!(source(client).as_deref(), Some(expected), "{client}");
        }
        assert_eq!(Inside::new(&USER_MODE).source("192.0.2.7:40000".parse().expect("an address")), None);
    }
}
