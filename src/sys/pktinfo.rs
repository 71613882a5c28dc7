//! Datagrams with the address of this host that they were sent to, which the answers must come from. Source: ip(7),
//! `IP_PKTINFO`; ipv6(7), `IPV6_RECVPKTINFO`.

use std::io::{self, IoSlice, IoSliceMut};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::{AsFd, AsRawFd as _};

use nix::cmsg_space;
use nix::sys::socket::sockopt::{Ipv4PacketInfo, Ipv6RecvPacketInfo};
use nix::sys::socket::{ControlMessage, ControlMessageOwned, MsgFlags, SockaddrStorage, recvmsg, sendmsg, setsockopt};

/// A datagram that was received.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Received {
    /// Its length.
    pub(crate) length: usize,
    /// Who has sent it.
    pub(crate) from: SocketAddr,
    /// The address of this host, if the socket was asked to tell.
    pub(crate) to: Option<IpAddr>,
}

/// Makes the socket tell the address that each datagram was sent to.
pub(crate) fn tell_destination(socket: impl AsFd, is_ipv4: bool) -> io::Result<()> {
    match is_ipv4 {
        true => setsockopt(&socket, Ipv4PacketInfo, &true)?,
        false => setsockopt(&socket, Ipv6RecvPacketInfo, &true)?,
    }
    Ok(())
}

/// Receives a datagram without waiting.
pub(crate) fn receive(socket: impl AsFd, buffer: &mut [u8]) -> io::Result<Received> {
    let mut space = cmsg_space!(libc::in6_pktinfo);
    let mut parts = [IoSliceMut::new(buffer)];
    let message =
        recvmsg::<SockaddrStorage>(socket.as_fd().as_raw_fd(), &mut parts, Some(&mut space), MsgFlags::MSG_DONTWAIT)?;
    let to = message.cmsgs()?.find_map(|message| match message {
        ControlMessageOwned::Ipv4PacketInfo(info) => {
            Some(IpAddr::V4(Ipv4Addr::from_bits(u32::from_be(info.ipi_spec_dst.s_addr))))
        }
        ControlMessageOwned::Ipv6PacketInfo(info) => Some(IpAddr::V6(Ipv6Addr::from(info.ipi6_addr.s6_addr))),
        _ => None,
    });
    let from = message.address.and_then(|address| socket_address(&address));
    let from = from.ok_or_else(|| io::Error::from_raw_os_error(libc::EAFNOSUPPORT))?;
    Ok(Received { length: message.bytes, from, to })
}

/// Sends a datagram without waiting, from that address of this host; `None` is the socket's own, or one that the kernel
/// chooses.
pub(crate) fn send(socket: impl AsFd, bytes: &[u8], to: SocketAddr, from: Option<IpAddr>) -> io::Result<()> {
    let parts = [IoSlice::new(bytes)];
    let (four, six);
    let control = match from {
        Some(IpAddr::V4(ip)) => {
            let address = libc::in_addr { s_addr: ip.to_bits().to_be() };
            four = libc::in_pktinfo { ipi_ifindex: 0, ipi_spec_dst: address, ipi_addr: libc::in_addr { s_addr: 0 } };
            Some(ControlMessage::Ipv4PacketInfo(&four))
        }
        Some(IpAddr::V6(ip)) => {
            // An address of one link alone needs the link, which the client's has.
            let scope = if let SocketAddr::V6(to) = to { to.scope_id() } else { 0 };
            six = libc::in6_pktinfo { ipi6_addr: libc::in6_addr { s6_addr: ip.octets() }, ipi6_ifindex: scope };
            Some(ControlMessage::Ipv6PacketInfo(&six))
        }
        None => None,
    };
    let to = SockaddrStorage::from(to);
    sendmsg(socket.as_fd().as_raw_fd(), &parts, control.as_slice(), MsgFlags::MSG_DONTWAIT, Some(&to))?;
    Ok(())
}

fn socket_address(address: &SockaddrStorage) -> Option<SocketAddr> {
    if let Some(four) = address.as_sockaddr_in() {
        return Some(SocketAddr::new(four.ip().into(), four.port()));
    }
    let six = address.as_sockaddr_in6()?;
    Some(std::net::SocketAddrV6::new(six.ip(), six.port(), six.flowinfo(), six.scope_id()).into())
}

#[cfg(test)]
mod tests {
    use std::net::UdpSocket;

    use super::*;

    #[test]
    fn an_answer_comes_from_the_address_that_was_asked() {
        let server = UdpSocket::bind("0.0.0.0:0").expect("bind");
        tell_destination(&server, true).expect("an option");
        let port = server.local_addr().expect("address").port();
        for asked in ["127.0.0.1", "127.0.0.7", "127.1.2.3"] {
            let asked: IpAddr = asked.parse().expect("an address");
            let client = UdpSocket::bind("127.0.0.1:0").expect("bind");
            client.set_read_timeout(Some(std::time::Duration::from_secs(10))).expect("timeout");
            client.send_to(b"ask", (asked, port)).expect("send");
            let mut buffer = [0; 8];
            let received = loop {
                match receive(&server, &mut buffer) {
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                    other => break other.expect("receive"),
                }
            };
            assert_eq!((received.length, received.to), (3, Some(asked)));
            assert_eq!(received.from, client.local_addr().expect("address"));
            send(&server, b"answer", received.from, received.to).expect("send");
            assert_eq!(client.recv_from(&mut buffer).expect("answer"), (6, SocketAddr::new(asked, port)));
        }
    }
}
