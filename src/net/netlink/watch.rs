//! News of routes: a network namespace has got a default route.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::net::netlink::SocketAddrNetlink;
use rustix::net::{AddressFamily, RecvFlags, SocketFlags, SocketType, bind, recv, socket_with};

use super::HEADER;

/// The multicast group of IPv4 routes, as a bit: `RTMGRP_IPV4_ROUTE`. Source: rtnetlink(7), netlink(7).
const IPV4_ROUTES: u32 = 0x40;
/// `RTM_NEWROUTE`, `AF_INET`, `RT_TABLE_MAIN`. Source: rtnetlink(7), `rtmsg`.
const NEW_ROUTE: u16 = 24;
const INET: u8 = 2;
const MAIN: u8 = 254;

/// Hears of IPv4 routes that come into the network namespace that its creator was in.
#[derive(Debug)]
pub(in crate::net) struct Routes {
    socket: OwnedFd,
}

impl Routes {
    /// From now on.
    pub(in crate::net) fn watch() -> io::Result<Self> {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        // The protocol 0, NETLINK_ROUTE.
        let socket = socket_with(AddressFamily::NETLINK, SocketType::RAW, flags, None)?;
        bind(&socket, &SocketAddrNetlink::new(0, IPV4_ROUTES))?;
        Ok(Self { socket })
    }

    /// Hears what there is to hear, without waiting: whether a default route has come.
    pub(in crate::net) fn have_default(&self) -> bool {
        let mut packet = [0; 4 << 10];
        let mut found = false;
        // What is lost or cut off is no route that was heard of.
        while let Ok((length, _)) = recv(&self.socket, &mut packet, RecvFlags::DONTWAIT) {
            found |= packet.get(..length).is_some_and(has_default);
        }
        found
    }
}

impl From<OwnedFd> for Routes {
    /// Of another process, which has handed its socket over.
    fn from(socket: OwnedFd) -> Self {
        Self { socket }
    }
}

impl AsFd for Routes {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// Whether one of the messages of a packet is a new default route of the main table.
fn has_default(mut packet: &[u8]) -> bool {
    while let (Some(length), Some(kind)) = (packet.first_chunk::<4>(), packet.get(4..6)) {
        // The family, the length of the destination, and two bytes later the table.
        let route = packet.get(HEADER..HEADER + 5).unwrap_or_default();
        if kind == NEW_ROUTE.to_ne_bytes() && matches!(route, [INET, 0, _, _, MAIN]) {
            return true;
        }
        let next = (u32::from_ne_bytes(*length) as usize).next_multiple_of(4).max(HEADER);
        packet = packet.get(next..).unwrap_or_default();
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A message about a route to a destination of that length, in a table.
    fn message(kind: u16, family: u8, length: u8, table: u8) -> Vec<u8> {
        let mut bytes = 28u32.to_ne_bytes().to_vec();
        bytes.extend(kind.to_ne_bytes());
        bytes.extend([0; 10]);
        bytes.extend([family, length, 0, 0, table, 0, 0, 0, 0, 0, 0, 0]);
        bytes
    }

    #[test]
    fn a_new_default_route_is_found_among_others() {
        let default = message(NEW_ROUTE, INET, 0, MAIN);
        let others = [
            message(NEW_ROUTE, INET, 24, MAIN),
            message(NEW_ROUTE, INET, 0, 100),
            message(NEW_ROUTE, 10, 0, MAIN),
            message(NEW_ROUTE + 1, INET, 0, MAIN),
        ];
        assert!(others.iter().all(|other| !has_default(other)));
        assert!(has_default(&[others.concat(), default.clone()].concat()));
        assert!(has_default(&default));
        assert!(!has_default(&default[..20]));
        assert!(!has_default(&[]) && !has_default(&[0; 64]));
    }
}
