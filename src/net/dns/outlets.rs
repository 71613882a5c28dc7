//! Sockets to the servers that are asked.

use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::event::epoll::EventFlags;
use rustix::io::Errno;
use rustix::net::{
    AddressFamily, RecvFlags, SocketFlags, SocketType, connect, connect_unspec, recv, socket_with, sockopt,
};

use super::poller::{Poller, Token};

/// A server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Target {
    /// Its address.
    pub(super) server: SocketAddr,
    /// It is a member of the network, so that only sockets of the network's namespace reach it.
    pub(super) is_member: bool,
}

/// Makes sockets, each for one query and one server, with a port that the kernel chooses at random.
///
/// Those to servers outside are made when they are needed. This process cannot make one in the network's namespace; it
/// has a few of them, and a query for a member takes one and gives it back. A socket without an address of its own
/// loses its port when it is disconnected, and gets another when it is connected again.
#[derive(Debug)]
pub(super) struct Outlets {
    /// What tells that they are ready, as all other descriptors of the server.
    pub(super) poller: Poller,
    inside: Vec<OwnedFd>,
}

/// A connected, or connecting, socket.
#[derive(Debug)]
pub(super) struct Outlet {
    socket: OwnedFd,
    is_inside: bool,
}

impl Outlets {
    /// With these sockets of the network's namespace.
    pub(super) fn new(poller: Poller, inside: Vec<OwnedFd>) -> Self {
        Self { poller, inside }
    }

    /// A datagram socket that is connected to `target`; `token` is ready when something can be read.
    ///
    /// Fails with `EAGAIN` if all sockets in the namespace are in use.
    pub(super) fn datagrams(&mut self, target: Target, token: Token) -> io::Result<Outlet> {
        let outlet = self.connect(target, SocketType::DGRAM)?;
        if outlet.is_inside {
            // What came for the query before.
            while recv(&outlet.socket, &mut [0u8; 0], RecvFlags::DONTWAIT | RecvFlags::TRUNC).is_ok() {}
        }
        self.watched(outlet, token, EventFlags::IN)
    }

    /// A stream socket that is being connected to `target`; `token` is ready when something can be written.
    pub(super) fn stream(&mut self, target: Target, token: Token) -> io::Result<Outlet> {
        let outlet = self.connect(target, SocketType::STREAM)?;
        self.watched(outlet, token, EventFlags::OUT)
    }

    fn watched(&mut self, outlet: Outlet, token: Token, flags: EventFlags) -> io::Result<Outlet> {
        match self.poller.add(&outlet, token, flags) {
            Ok(()) => Ok(outlet),
            Err(error) => {
                self.close(outlet);
                Err(error)
            }
        }
    }

    fn connect(&mut self, target: Target, kind: SocketType) -> io::Result<Outlet> {
        let family = if target.server.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
        let outlet = if target.is_member {
            let is_fit = |socket: &OwnedFd| {
                sockopt::socket_type(socket) == Ok(kind) && sockopt::socket_domain(socket) == Ok(family)
            };
            let index = self.inside.iter().position(is_fit).ok_or(Errno::AGAIN)?;
            Outlet { socket: self.inside.swap_remove(index), is_inside: true }
        } else {
            let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
            Outlet { socket: socket_with(family, kind, flags, None)?, is_inside: false }
        };
        match connect(&outlet.socket, &target.server) {
            Ok(()) | Err(Errno::INPROGRESS) => Ok(outlet),
            Err(error) => {
                self.close(outlet);
                Err(error.into())
            }
        }
    }

    /// Closes a socket, or keeps it for the next query.
    pub(super) fn close(&mut self, outlet: Outlet) {
        self.poller.remove(&outlet);
        if outlet.is_inside && connect_unspec(&outlet.socket).is_ok() {
            self.inside.push(outlet.socket);
        }
    }
}

impl AsFd for Outlet {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}
