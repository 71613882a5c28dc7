//! Whether a port can be published: rc binds it for a moment to find out.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, socket_with, sockopt};

use super::error::Error;
use super::request::Request;
use crate::sys::lock::FileLock;
use crate::types::{PortMapping, Protocol};

/// The address on the host's loopback at which the relay serves a UDP port, if it does: neither helper answers a
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

/// Whether the helper must publish the port: all ports except those that are only reachable from loopback, through the
/// relay.
pub(super) fn is_for_helper(port: &PortMapping) -> bool {
    relayed_address(port) != Some(port.listen_address())
}

/// The lock, in the user's directory, that is held while helpers bind ports.
const LOCK: &str = "ports.lock";

/// Waits until the helper of `request` may bind ports; its turn ends when the lock is dropped. `None` if it binds none.
///
/// If two helpers listen on one TCP port at the same moment, both can fail: the kernel marks a socket as listening
/// before it checks for another one (`inet_csk_listen_start`), so each may see the other. Taking turns lets the first
/// one succeed.
pub(super) fn turn(request: &Request) -> Result<Option<FileLock>, Error> {
    if !request.ports.iter().any(is_for_helper) {
        return Ok(None);
    }
    Ok(Some(FileLock::exclusive(request.locks.join(LOCK))?))
}

/// Binds each port for a moment, and names the first one that cannot be bound.
///
/// This gives an early, exact error and reserves nothing: the helper binds the port for good, and fails if another
/// helper was faster. The probe itself disturbs no other start: for TCP it does not listen and allows reuse, as the
/// helpers do, so that two probes and a helper that is just binding do not conflict; for UDP, reuse would hide another
/// owner, so the probe is exclusive.
pub(super) fn check_free(ports: &[PortMapping]) -> Result<(), Error> {
    ports.iter().try_for_each(check)
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
}
