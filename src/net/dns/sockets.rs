//! The server's sockets in the network's namespace, made there by a child of the keeper.

use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener, UdpSocket};
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, listen, socket_with, sockopt};

/// The port of name servers.
pub(super) const PORT: u16 = 53;
/// How many members may be asked at once, for each family, by UDP.
const DATAGRAMS: usize = 6;
/// By TCP.
const STREAMS: usize = 2;
/// Connections that wait to be accepted.
const BACKLOG: i32 = 64;
/// How long a server before this one may take to die.
const TAKEN: Duration = Duration::from_secs(2);

/// The sockets.
#[derive(Debug, Default)]
pub(crate) struct Sockets {
    /// One for each address of the server, bound.
    pub(super) datagrams: Vec<UdpSocket>,
    /// The same, listening.
    pub(super) listeners: Vec<TcpListener>,
    /// Without an address yet: by these, members are asked that are name servers themselves.
    pub(super) inside: Vec<OwnedFd>,
}

impl Sockets {
    /// Makes the sockets of a server at these addresses, the network's gateways. The caller is in the network's
    /// namespace, and may bind port 53 there. Without an address there is no server.
    ///
    /// Fails if the namespace does not have one of the addresses.
    pub(crate) fn open(gateways: &[IpAddr]) -> io::Result<Self> {
        Self::open_at(gateways.iter().map(|ip| SocketAddr::new(*ip, PORT)))
    }

    pub(super) fn open_at(addresses: impl Iterator<Item = SocketAddr>) -> io::Result<Self> {
        let mut sockets = Self::default();
        for address in addresses {
            let datagrams = bound(SocketType::DGRAM, address)?;
            // With port 0, in tests, both get the same.
            let listener = bound(SocketType::STREAM, address_of(&datagrams)?)?;
            listen(&listener, BACKLOG)?;
            sockets.datagrams.push(UdpSocket::from(datagrams));
            sockets.listeners.push(TcpListener::from(listener));
        }
        if sockets.is_empty() {
            return Ok(sockets);
        }
        for family in [AddressFamily::INET, AddressFamily::INET6] {
            for (kind, count) in [(SocketType::DGRAM, DATAGRAMS), (SocketType::STREAM, STREAMS)] {
                // A kernel may be without IPv6; then nobody has an address of it.
                sockets.inside.extend((0..count).map_while(|_| socket_with(family, kind, flags(), None).ok()));
            }
        }
        Ok(sockets)
    }

    /// Whether there is no server.
    pub(crate) fn is_empty(&self) -> bool {
        self.datagrams.is_empty()
    }

    /// All descriptors, in any order: at most 2 for each address and 16 more.
    pub(crate) fn descriptors(&self) -> Vec<BorrowedFd<'_>> {
        let servers = self.datagrams.iter().map(|socket| socket.as_fd());
        let listeners = self.listeners.iter().map(|socket| socket.as_fd());
        servers.chain(listeners).chain(self.inside.iter().map(|socket| socket.as_fd())).collect()
    }

    /// The same sockets in another process, which has received [`descriptors`](Self::descriptors).
    pub(crate) fn from_descriptors(descriptors: Vec<OwnedFd>) -> io::Result<Self> {
        let mut sockets = Self::default();
        for descriptor in descriptors {
            if sockopt::socket_acceptconn(&descriptor)? {
                sockets.listeners.push(TcpListener::from(descriptor));
            } else if sockopt::socket_type(&descriptor)? == SocketType::DGRAM && address_of(&descriptor)?.port() != 0 {
                sockets.datagrams.push(UdpSocket::from(descriptor));
            } else {
                sockets.inside.push(descriptor);
            }
        }
        Ok(sockets)
    }
}

fn flags() -> SocketFlags {
    SocketFlags::CLOEXEC | SocketFlags::NONBLOCK
}

fn bound(kind: SocketType, address: SocketAddr) -> io::Result<OwnedFd> {
    let family = if address.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let socket = socket_with(family, kind, flags(), None)?;
    if address.is_ipv6() {
        sockopt::set_ipv6_v6only(&socket, true)?;
        // The kernel may not have finished with an address that was set a moment ago.
        sockopt::set_ipv6_freebind(&socket, true)?;
    }
    if kind == SocketType::STREAM {
        // The keeper before this one has left connections in TIME_WAIT.
        sockopt::set_socket_reuseaddr(&socket, true)?;
    }
    let start = Instant::now();
    loop {
        match bind(&socket, &address) {
            // The keeper was killed, and its name server with it, but the kernel has not closed everything yet.
            Err(Errno::ADDRINUSE) if start.elapsed() < TAKEN => std::thread::sleep(Duration::from_millis(1)),
            other => break other?,
        }
    }
    Ok(socket)
}

fn address_of(socket: &OwnedFd) -> io::Result<SocketAddr> {
    let address = rustix::net::getsockname(socket)?;
    SocketAddr::try_from(address).map_err(|_| io::Error::from_raw_os_error(libc::EAFNOSUPPORT))
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, Ipv6Addr};

    use super::*;

    #[test]
    fn another_process_recognizes_the_sockets() {
        let addresses = [(Ipv4Addr::LOCALHOST, 0).into(), (Ipv6Addr::LOCALHOST, 0).into()];
        let made = Sockets::open_at(addresses.into_iter()).expect("sockets");
        let count = (made.datagrams.len(), made.listeners.len(), made.inside.len());
        assert_eq!(count, (2, 2, 16));
        let copies = made.descriptors().into_iter().rev().map(|fd| fd.try_clone_to_owned().expect("a copy")).collect();
        let received = Sockets::from_descriptors(copies).expect("received");
        assert_eq!((received.datagrams.len(), received.listeners.len(), received.inside.len()), count);
        let ports = |sockets: &Sockets| {
            let of_datagrams = sockets.datagrams.iter().map(|socket| socket.local_addr().expect("address"));
            let mut all: Vec<_> = of_datagrams
                .chain(sockets.listeners.iter().map(|socket| socket.local_addr().expect("address")))
                .collect();
            all.sort();
            all
        };
        assert_eq!(ports(&received), ports(&made));
    }
}
