//! Whether a helper can publish a port: rc binds it for a moment to find out.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, socket_with, sockopt};

use super::error::Error;
use super::request::Request;
use crate::sys::lock::FileLock;
use crate::types::{PortMapping, Protocol};

/// Whether the port is UDP on the host's loopback alone: neither helper answers a datagram from there.
pub(super) fn is_loopback_datagrams(port: &PortMapping) -> bool {
    port.protocol == Protocol::Udp && port.host_ip.is_some_and(|ip| ip.is_loopback())
}

/// The address on the host's loopback of a UDP port that is published for all IPv4 addresses.
pub(super) fn loopback_part(port: &PortMapping) -> Option<SocketAddr> {
    let is_everywhere = port.listen_address().ip() == IpAddr::V4(Ipv4Addr::UNSPECIFIED);
    (port.protocol == Protocol::Udp && is_everywhere)
        .then(|| SocketAddr::new(Ipv4Addr::LOCALHOST.into(), port.host_port))
}

/// The lock, in the user's directory, that is held while ports are bound.
const LOCK: &str = "ports.lock";

/// Waits until ports of `request` may be bound; the turn ends when the lock is dropped.
///
/// If two processes listen on one TCP port at the same moment, both can fail: the kernel marks a socket as listening
/// before it checks for another one (`inet_csk_listen_start`), so each may see the other. Taking turns lets the first
/// one succeed.
pub(super) fn turn(request: &Request) -> Result<FileLock, Error> {
    Ok(FileLock::exclusive(request.locks.join(LOCK))?)
}

/// Binds each port for a moment, and names the first one that cannot be bound.
///
/// This gives an early, exact error and reserves nothing: the helper binds the port for good, and fails if another
/// helper was faster. The probe itself disturbs no other start: for TCP it does not listen and allows reuse, as the
/// helpers do, so that two probes and a helper that is just binding do not conflict; for UDP, reuse would hide another
/// owner, so the probe is exclusive.
pub(super) fn check_free<'a>(ports: impl IntoIterator<Item = &'a PortMapping>) -> Result<(), Error> {
    ports.into_iter().try_for_each(check)
}

/// [`check_free`] for one port.
pub(super) fn check(port: &PortMapping) -> Result<(), Error> {
    probe(port).map_err(|errno| refused(port, errno))
}

/// The error for a port that the kernel refuses to bind.
pub(super) fn refused(port: &PortMapping, errno: Errno) -> Error {
    let port = port.clone();
    match errno {
        Errno::ADDRINUSE => Error::PortTaken { port },
        Errno::ADDRNOTAVAIL => Error::NoSuchAddress { port },
        Errno::ACCESS => Error::PortPrivileged { port, start: unprivileged_port_start() },
        errno => Error::PortRefused { port, source: io::Error::from(errno) },
    }
}

fn probe(port: &PortMapping) -> Result<(), Errno> {
    let address = port.listen_address();
    let family = if address.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let kind = match port.protocol {
        Protocol::Tcp => SocketType::STREAM,
        Protocol::Udp => SocketType::DGRAM,
    };
    let socket = socket_with(family, kind, SocketFlags::CLOEXEC, None)?;
    if port.protocol == Protocol::Tcp {
        sockopt::set_socket_reuseaddr(&socket, true)?;
    }
    if family == AddressFamily::INET6 {
        sockopt::set_ipv6_v6only(&socket, true)?;
    }
    bind(&socket, &address)
}

/// The first port that every user may bind. Source: ip-sysctl.rst, `ip_unprivileged_port_start`.
pub(crate) fn unprivileged_port_start() -> u16 {
    let text = crate::sys::fs::read_to_string("/proc/sys/net/ipv4/ip_unprivileged_port_start").ok();
    text.and_then(|text| text.trim().parse().ok()).unwrap_or(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mapping(host_ip: &str, host_port: u16, protocol: Protocol) -> PortMapping {
        PortMapping { host_ip: host_ip.parse().ok(), host_port, container_port: 80, protocol }
    }

    #[test]
    fn a_taken_port_is_named() {
        let port = crate::net::test_port::take(1);
        let listener = std::net::TcpListener::bind(("127.0.0.1", port)).expect("bind");
        let tcp = mapping("127.0.0.1", port, Protocol::Tcp);
        assert!(matches!(check(&tcp), Err(Error::PortTaken { .. })));
        drop(listener);
        assert!(check(&tcp).is_ok());
        let held = std::net::UdpSocket::bind("127.0.0.1:0").expect("bind");
        let port = held.local_addr().expect("address").port();
        for taken in [mapping("127.0.0.1", port, Protocol::Udp), mapping("", port, Protocol::Udp)] {
            let error = check(&taken).expect_err("taken").to_string();
            assert!(error.ends_with(&format!(":{port}/udp`: the port is in use")), "{error}");
        }
    }

    #[test]
    fn an_address_of_another_host_is_refused() {
        let error = check(&mapping("198.51.100.7", 18999, Protocol::Tcp)).expect_err("not ours").to_string();
        assert_eq!(error, "cannot publish port `198.51.100.7:18999/tcp`: the host does not have that address");
    }

    #[test]
    fn loopback_is_no_helper_s_for_udp_alone() {
        let (tcp, udp) = (Protocol::Tcp, Protocol::Udp);
        let found = |ip, protocol| {
            let port = mapping(ip, 53, protocol);
            (is_loopback_datagrams(&port), loopback_part(&port).map(|address| address.to_string()))
        };
        let part = || Some("127.0.0.1:53".to_owned());
        assert_eq!(found("", udp), (false, part()));
        assert_eq!(found("0.0.0.0", udp), (false, part()));
        assert_eq!(found("127.0.0.1", udp), (true, None));
        assert_eq!(found("::1", udp), (true, None));
        assert_eq!(found("192.0.2.2", udp), (false, None));
        assert_eq!(found("127.0.0.1", tcp), (false, None));
        assert_eq!(found("", tcp), (false, None));
    }
}
