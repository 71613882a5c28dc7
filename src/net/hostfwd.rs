//! The UDP ports that slirp4netns publishes, requested through its API socket.
//!
//! The socket has a name only while ports are added; freeing them uses a descriptor of it.
//!
//! Source: slirp4netns(1), "API SOCKET".

use std::io;
use std::net::Ipv4Addr;
use std::os::fd::{AsFd as _, AsRawFd as _, BorrowedFd, OwnedFd};
use std::time::Instant;

use rustix::fs::{AtFlags, Mode, OFlags};
use rustix::io::Errno;
use rustix::net::{
    AddressFamily, SendFlags, Shutdown, SocketAddrUnix, SocketFlags, SocketType, connect, send, shutdown, socket_with,
};

use super::error::Error;
use super::ports;
use super::request::Request;
use super::wait::wait_readable;
use crate::sys::fs::PathError;
use crate::types::{PortMapping, json};

/// The socket's name in the container's directory.
pub(super) const SOCKET: &str = "slirp4netns.sock";

/// The published ports, by the helper's numbers.
#[derive(Debug)]
pub(crate) struct Forwards {
    /// Its API socket, which has no name any more: an O_PATH descriptor, to which rc connects through /proc/self/fd.
    api: OwnedFd,
    ids: Vec<u64>,
}

impl Forwards {
    /// Makes the helper publish `ports` of `request`, each forwarded to `inside`; `None` if there are none.
    pub(super) fn ask(
        request: &Request,
        ports: &[&PortMapping],
        driver: &'static str,
        inside: Ipv4Addr,
        deadline: Instant,
    ) -> Result<Option<Self>, Error> {
        if ports.is_empty() {
            return Ok(None);
        }
        let _turn = ports::turn(request)?;
        let directory = open_directory(request)?;
        let path = || request.directory.join(SOCKET);
        let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let api = rustix::fs::openat(&directory, SOCKET, flags, Mode::empty())
            .map_err(|errno| PathError::new("open", path(), errno))?;
        let ids =
            ports.iter().map(|port| add(api.as_fd(), driver, port, inside, deadline)).collect::<Result<Vec<_>, _>>();
        // No other process needs to connect to it, and nothing must be swept after a crash.
        match rustix::fs::unlinkat(&directory, SOCKET, AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => {}
            Err(errno) => return Err(PathError::new("remove", path(), errno).into()),
        }
        Ok(Some(Self { api, ids: ids? }))
    }

    /// Makes the helper release every port. `false` if it does not do so by `deadline`; it then keeps them until it
    /// ends.
    pub(super) fn close(&self, deadline: Instant) -> bool {
        self.ids.iter().all(|id| {
            let answer = exchange(self.api.as_fd(), &remove_hostfwd(*id), deadline);
            answer.is_ok_and(|answer| answer.starts_with(r#"{"return":"#))
        })
    }
}

/// The container's directory, in which the socket gets its name.
pub(super) fn open_directory(request: &Request) -> Result<OwnedFd, Error> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    rustix::fs::open(&request.directory, flags, Mode::empty())
        .map_err(|errno| PathError::new("open", &request.directory, errno).into())
}

/// Requests one port, and returns the helper's number of it; each request needs a connection of its own.
fn add(
    api: BorrowedFd<'_>,
    driver: &'static str,
    port: &PortMapping,
    inside: Ipv4Addr,
    deadline: Instant,
) -> Result<u64, Error> {
    let failed = |answer: String| Error::PublishFailed { driver, port: port.clone(), answer };
    let answer =
        exchange(api, &add_hostfwd(port, inside), deadline).map_err(|error| failed(crate::sys::fs::plain(&error)))?;
    let answer: serde_json::Value = json::from_str(&answer).map_err(|_| failed(format!("it answered `{answer}`")))?;
    if let Some(id) = answer.pointer("/return/id").and_then(serde_json::Value::as_u64) {
        return Ok(id);
    }
    // The answer only says that binding failed; the kernel tells us why, unless the program that had the port has just
    // ended.
    ports::check(port)?;
    let words = answer.pointer("/error/desc").and_then(|desc| desc.as_str()).unwrap_or("it refused").to_owned();
    Err(failed(words))
}

fn add_hostfwd(port: &PortMapping, inside: Ipv4Addr) -> String {
    let listen = port.listen_address();
    serde_json::json!({"execute": "add_hostfwd", "arguments": {
        "proto": port.protocol, "host_addr": listen.ip(), "host_port": listen.port(),
        "guest_addr": inside, "guest_port": port.container_port,
    }})
    .to_string()
}

fn remove_hostfwd(id: u64) -> String {
    serde_json::json!({"execute": "remove_hostfwd", "arguments": {"id": id}}).to_string()
}

fn exchange(api: BorrowedFd<'_>, request: &str, deadline: Instant) -> io::Result<String> {
    let address = SocketAddrUnix::new(format!("/proc/self/fd/{}", api.as_raw_fd()))?;
    let socket = socket_with(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
    connect(&socket, &address)?;
    send(&socket, request.as_bytes(), SendFlags::NOSIGNAL)?;
    shutdown(&socket, Shutdown::Write)?;
    let mut answer = Vec::new();
    let mut part = [0; 1024];
    while answer.len() < 4096 {
        if !wait_readable(&[socket.as_fd()], deadline)? {
            return Err(io::ErrorKind::TimedOut.into());
        }
        match rustix::io::read(&socket, &mut part) {
            Ok(0) => break,
            Ok(length) => answer.extend_from_slice(&part[..length]),
            Err(Errno::INTR) => {}
            // The helper closes the connection without reading our end of file.
            Err(Errno::CONNRESET) => break,
            Err(errno) => return Err(errno.into()),
        }
    }
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::Protocol;

    #[test]
    fn a_port_is_asked_for_in_the_words_of_the_api() {
        let port = PortMapping { host_ip: None, host_port: 8080, container_port: 80, protocol: Protocol::Udp };
        assert_eq!(
            add_hostfwd(&port, Ipv4Addr::new(10, 0, 2, 100)),
            concat!(
                r#"{"execute":"add_hostfwd","arguments":{"proto":"udp","host_addr":"0.0.0.0","host_port":8080,"#,
                r#""guest_addr":"10.0.2.100","guest_port":80}}"#
            )
        );
        assert_eq!(remove_hostfwd(42), r#"{"execute":"remove_hostfwd","arguments":{"id":42}}"#);
    }
}
