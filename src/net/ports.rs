//! Whether a port can be published: asked of the kernel by binding it for a moment.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, socket_with, sockopt};

use super::error::Error;
use super::request::Request;
use crate::sys::lock::FileLock;
use crate::types::{PortMapping, Protocol};

/// The address of the host's loopback on which the relay serves a UDP port, if it does: neither helper answers a
/// datagram from there.
pub(super) fn relayed_address(port: &PortMapping) -> Option<SocketAddr> {
    let ip = match port.host_ip {
        _ if port.protocol == Protocol::Tcp => return None,
        None => IpAddr::V4(Ipv4Addr::LOCALHOST),
        Some(IpAddr::V4(ip)) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        Some(ip) if ip.is_loopback() => ip,
        Some(_) => return None,
    };
    Some(SocketAddr::new(ip, port.host_port))
}

/// Whether the helper has to publish the port: all but those that loopback alone can reach by the relay.
pub(super) fn is_for_helper(port: &PortMapping) -> bool {
    relayed_address(port) != Some(port.listen_address())
}

/// The lock, in the user's directory, under which ports are bound for good.
const LOCK: &str = "ports.lock";

/// Waits for the turn of `request` to have its helper bind ports, until the lock is dropped; `None` if it has none to
/// bind.
///
/// Of two helpers that listen on one TCP port at the same moment both can fail: the kernel calls a socket listening
/// before it looks whether another one is (`inet_csk_listen_start`), and so each may see the other. By taking turns the
/// first gets it.
pub(super) fn turn(request: &Request) -> Result<Option<FileLock>, Error> {
    if !request.ports.iter().any(is_for_helper) {
        return Ok(None);
    }
    Ok(Some(FileLock::exclusive(request.locks.join(LOCK))?))
}

/// Binds each port for a moment, and names the first that cannot be.
///
/// A hint for an early, exact error, no reservation: the helper binds for good, and the second one then fails. The
/// probe itself disturbs no other start: for TCP it does not listen and allows reuse, as the helpers do, so that two
/// probes and a helper that is just binding do not conflict; for UDP reuse would hide the holder, so it is exclusive.
pub(super) fn check_free(ports: &[PortMapping]) -> Result<(), Error> {
    ports.iter().try_for_each(check)
}

/// [`check_free`] of one port.
pub(super) fn check(port: &PortMapping) -> Result<(), Error> {
    probe(port).map_err(|errno| refused(port, errno))
}

/// The sentence for a port that the kernel refuses to bind.
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
}
