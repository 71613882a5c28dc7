//! The host's side of published ports: sockets that the monitor makes in the host's network namespace and keeps, and
//! that each relay in turn serves.

use std::net::SocketAddr;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::time::Duration;

use rustix::io::Errno;
use rustix::net::{AddressFamily, Shutdown, SocketFlags, SocketType, bind, listen, shutdown, socket_with, sockopt};

use crate::net::error::Error;
use crate::net::ports;
use crate::net::request::Request;
use crate::sys::pktinfo;
use crate::types::{PortMapping, Protocol};

/// How many connections may wait to be accepted, at most as many as the host allows (`net.core.somaxconn`).
const BACKLOG: i32 = 4096;

/// When a client's host that has said nothing is asked whether it is still there: it may have vanished, and the server
/// inside cannot find out, since its own questions are answered by the relay.
const KEEPALIVE: Duration = Duration::from_secs(120);

/// The host's side of one port.
#[derive(Debug)]
pub(super) struct Door {
    pub(super) socket: OwnedFd,
    pub(super) port: PortMapping,
    address: SocketAddr,
}

impl Door {
    fn new(port: &PortMapping, address: SocketAddr) -> Result<Self, Errno> {
        let family = if address.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
        let kind = match port.protocol {
            Protocol::Tcp => SocketType::STREAM,
            Protocol::Udp => SocketType::DGRAM,
        };
        let socket = socket_with(family, kind, SocketFlags::CLOEXEC | SocketFlags::NONBLOCK, None)?;
        if address.is_ipv6() {
            sockopt::set_ipv6_v6only(&socket, true)?;
        }
        Ok(Self { socket, port: port.clone(), address })
    }

    fn open(&self) -> Result<(), Errno> {
        match self.port.protocol {
            Protocol::Udp => {
                if self.address.ip().is_unspecified() {
                    let told = pktinfo::tell_destination(&self.socket, self.address.is_ipv4());
                    told.map_err(|error| Errno::from_io_error(&error).unwrap_or(Errno::INVAL))?;
                }
                bind(&self.socket, &self.address)
            }
            Protocol::Tcp => {
                // Otherwise connections that have just ended would keep the port.
                sockopt::set_socket_reuseaddr(&self.socket, true)?;
                // Connections inherit these.
                sockopt::set_tcp_nodelay(&self.socket, true)?;
                sockopt::set_socket_keepalive(&self.socket, true)?;
                sockopt::set_tcp_keepidle(&self.socket, KEEPALIVE)?;
                bind(&self.socket, &self.address)?;
                listen(&self.socket, BACKLOG)
            }
        }
    }

    pub(super) fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// The ports that a container's relay serves alone: they are taken as long as this exists, over all runs.
#[derive(Debug, Default)]
pub(crate) struct Doors(Vec<Door>);

impl Doors {
    /// Takes the ports of `request` that are the relay's alone, as `is_ours` says, and listens on them. Fails with the
    /// first that cannot be had; then none is taken.
    pub(in crate::net) fn open(request: &Request, is_ours: impl Fn(&PortMapping) -> bool) -> Result<Self, Error> {
        let ports: Vec<_> = request.ports.iter().filter(|port| is_ours(port)).collect();
        if ports.is_empty() {
            return Ok(Self(Vec::new()));
        }
        let _turn = ports::turn(request)?;
        let open = |port: &PortMapping| {
            let door = Door::new(port, port.listen_address())?;
            door.open().map(|()| door)
        };
        let doors = ports.into_iter().map(|port| open(port).map_err(|errno| ports::refused(port, errno)));
        Ok(Self(doors.collect::<Result<_, _>>()?))
    }

    /// Refuses clients while nothing serves them; the ports stay taken.
    ///
    /// A socket that does not listen would let another one with SO_REUSEADDR have its port, so it gives that up
    /// meanwhile. Not earlier: its connections would inherit that, and keep the port when they have ended.
    pub(super) fn refuse(&self) {
        for door in self.listeners() {
            sockopt::set_socket_reuseaddr(&door.socket, false).ok();
            shutdown(&door.socket, Shutdown::Both).ok();
        }
    }

    /// Listens again. Fails with the first port on which that is not possible.
    pub(super) fn listen(&self) -> Result<(), Error> {
        let again = |door: &Door| {
            sockopt::set_socket_reuseaddr(&door.socket, true)?;
            listen(&door.socket, BACKLOG)
        };
        self.listeners().try_for_each(|door| again(door).map_err(|errno| ports::refused(&door.port, errno)))
    }

    fn listeners(&self) -> impl Iterator<Item = &Door> {
        self.0.iter().filter(|door| door.port.protocol == Protocol::Tcp)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Door> {
        self.0.iter()
    }
}

/// The relay's part of UDP ports that it shares with a helper, which answers nobody on the host's loopback: the kernel
/// gives a datagram to the socket with the exact address.
#[derive(Debug)]
pub(super) struct SharedDoors(Vec<Door>);

impl SharedDoors {
    /// Makes the sockets, for the ports of `request` that are not the relay's alone.
    pub(super) fn new(request: &Request, is_ours: impl Fn(&PortMapping) -> bool) -> Result<Self, Error> {
        let shared = request.ports.iter().filter(|port| !is_ours(port));
        let shared = shared.filter_map(|port| Some((port, ports::loopback_part(port)?)));
        let new = |(port, address)| Door::new(port, address).map_err(|errno| ports::refused(port, errno));
        Ok(Self(shared.map(new).collect::<Result<_, _>>()?))
    }

    /// Binds them, after the helper has bound its own: that bind is exclusive, and only afterwards slirp4netns permits
    /// others.
    pub(super) fn bind(&self) -> Result<(), Error> {
        let bind = |door: &Door| {
            sockopt::set_socket_reuseaddr(&door.socket, true)?;
            door.open()
        };
        self.0.iter().try_for_each(|door| bind(door).map_err(|errno| ports::refused(&door.port, errno)))
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Door> {
        self.0.iter()
    }
}
