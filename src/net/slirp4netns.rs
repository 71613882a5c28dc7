//! slirp4netns: a TCP/IP stack of its own in user space behind a tap device in the container.
//!
//! It is driven by pid; the form with a path dies under `--enable-sandbox` in version 1.2.0. The sandbox takes its view of the
//! file system and its capabilities, `--disable-host-loopback` its way to 127.0.0.1 (safety.md, N2). Ports are published over
//! its API socket, which has a name only while that is done; a descriptor leads to it when they are freed. Its name server at 10.0.2.3 asks the first IPv4 name server of the
//! host's resolv.conf, also one on loopback, and notices when that file changes.
//!
//! Source: slirp4netns(1), "OPTIONS" and "API SOCKET".

use std::io;
use std::os::fd::{AsFd as _, AsRawFd as _, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::time::Instant;

use rustix::fs::{AtFlags, Mode, OFlags};
use rustix::io::Errno;
use rustix::net::{
    AddressFamily, SendFlags, Shutdown, SocketAddrUnix, SocketFlags, SocketType, connect, send, shutdown, socket_with,
};
use rustix::pipe::{PipeFlags, pipe_with};

use super::addresses::INTERFACE;
use super::driver::{Process, text, wait_readable};
use super::{Driver, Error, Kind, Request, Starting, addresses, ports};
use crate::sys::fs::PathError;
use crate::sys::spawn::{Program, spawn};
use crate::types::{PortMapping, json};

/// The API socket's name in the container's directory.
const SOCKET: &str = "slirp4netns.sock";
/// Numbers of the descriptors that the helper gets.
const READY: i32 = 3;
const EXIT: i32 = 4;
const DIRECTORY_FD: i32 = 5;

/// The driver.
#[derive(Debug)]
pub(super) struct Slirp4netns;

impl Driver for Slirp4netns {
    fn kind(&self) -> Kind {
        Kind::Slirp4netns
    }

    fn validate(&self, request: &Request) -> Result<(), Error> {
        request.programs.find(self.kind())?;
        if let Some(port) = request.ports.iter().find(|port| port.host_ip.is_some_and(|ip| ip.is_ipv6())) {
            return Err(Error::NoIpv6 { driver: self.kind().as_str(), port: port.clone() });
        }
        ports::check_free(&request.ports)
    }

    fn start(&self, request: &Request, target: i32) -> Result<Starting, Error> {
        let driver = self.kind().as_str();
        let talk = |step| move |errno: Errno| Error::Talk { driver, step, source: errno.into() };
        let Some(path) = request.programs.find(self.kind())? else {
            return Ok(Starting { driver: &Self, request: request.clone(), target, process: None, _lock: None });
        };
        let (ready, ready_in) = pipe_with(PipeFlags::CLOEXEC).map_err(talk("make a pipe"))?;
        let (exit_out, exit) = pipe_with(PipeFlags::CLOEXEC).map_err(talk("make a pipe"))?;
        let directory = open_directory(request)?;

        let mut argv = vec![c"slirp4netns".to_owned()];
        argv.extend(["--configure", "--mtu=65520", "--enable-sandbox", "--enable-seccomp"].map(text));
        argv.push(text("--disable-host-loopback"));
        argv.extend([format!("--ready-fd={READY}"), format!("--exit-fd={EXIT}")].map(text));
        if request.ports.iter().any(ports::is_for_helper) {
            // By way of the descriptor, since a socket's path holds 107 bytes at most and the directory's may be longer.
            argv.push(text(format!("--api-socket=/proc/self/fd/{DIRECTORY_FD}/{SOCKET}")));
        }
        argv.extend([text(target.to_string()), text(INTERFACE)]);

        let descriptors = [(ready_in.as_fd(), READY), (exit_out.as_fd(), EXIT), (directory.as_fd(), DIRECTORY_FD)];
        let program = Program {
            path: &text(path.as_os_str().as_bytes()),
            argv: &argv,
            env: &[],
            descriptors: &descriptors,
            // Its sandbox pivots to a new root, which the kernel refuses where mounts are shared, as systemd has them. In a user
            // namespace they are not; with root's own it makes private only the topmost (slirp4netns 1.2: `create_sandbox`).
            own_mounts: rustix::process::geteuid().is_root(),
        };
        let helper = spawn(&program).map_err(|source| Error::Spawn { program: path, source })?;
        let process = Process { helper, ready, _exit: Some(exit) };
        Ok(Starting { driver: &Self, request: request.clone(), target, process: Some(process), _lock: None })
    }

    fn publish(&self, starting: &Starting, deadline: Instant) -> Result<Option<Forwards>, Error> {
        let mut published = starting.request.ports.iter().filter(|port| ports::is_for_helper(port)).peekable();
        if published.peek().is_none() {
            return Ok(None);
        }
        let _turn = ports::turn(&starting.request)?;
        let directory = open_directory(&starting.request)?;
        let path = || starting.request.directory.join(SOCKET);
        let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let api = rustix::fs::openat(&directory, SOCKET, flags, Mode::empty())
            .map_err(|errno| PathError::new("open", path(), errno))?;
        let ids = published.map(|port| add(api.as_fd(), port, deadline)).collect::<Result<Vec<_>, _>>();
        // Nobody else needs to speak to it, and nothing is left to sweep after a crash.
        match rustix::fs::unlinkat(&directory, SOCKET, AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => {}
            Err(errno) => return Err(PathError::new("remove", path(), errno).into()),
        }
        Ok(Some(Forwards { api, ids: ids? }))
    }
}

/// The published ports, as the helper knows them.
#[derive(Debug)]
pub(crate) struct Forwards {
    /// Its API socket, which has no name any more: opened with O_PATH, it is connected to by way of /proc/self/fd.
    api: OwnedFd,
    ids: Vec<u64>,
}

impl Forwards {
    /// Has the helper let go of every port. `false` if it does not do so by `deadline`; what it holds then goes with it.
    pub(super) fn close(&self, deadline: Instant) -> bool {
        self.ids.iter().all(|id| {
            let answer = exchange(self.api.as_fd(), &remove_hostfwd(*id), deadline);
            answer.is_ok_and(|answer| answer.starts_with(r#"{"return":"#))
        })
    }
}

fn open_directory(request: &Request) -> Result<OwnedFd, Error> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    rustix::fs::open(&request.directory, flags, Mode::empty())
        .map_err(|errno| PathError::new("open", &request.directory, errno).into())
}

/// Asks for one port, and gives the helper's number of it; each request has a connection of its own.
fn add(api: BorrowedFd<'_>, port: &PortMapping, deadline: Instant) -> Result<u64, Error> {
    let driver = Kind::Slirp4netns.as_str();
    let failed = |answer: String| Error::PublishFailed { driver, port: port.clone(), answer };
    let answer = exchange(api, &add_hostfwd(port), deadline).map_err(|error| failed(crate::sys::fs::plain(&error)))?;
    let answer: serde_json::Value = json::from_str(&answer).map_err(|_| failed(format!("it answered `{answer}`")))?;
    if let Some(id) = answer.pointer("/return/id").and_then(serde_json::Value::as_u64) {
        return Ok(id);
    }
    // It says only that binding failed; the kernel tells us why, unless whoever had the port has just left.
    ports::check(port)?;
    let words = answer.pointer("/error/desc").and_then(|desc| desc.as_str()).unwrap_or("it refused").to_owned();
    Err(failed(words))
}

fn add_hostfwd(port: &PortMapping) -> String {
    let listen = ports::listen_address(port);
    let guest = addresses::of(Kind::Slirp4netns).map(|addresses| addresses.ip.to_string());
    serde_json::json!({"execute": "add_hostfwd", "arguments": {
        "proto": port.protocol, "host_addr": listen.ip(), "host_port": listen.port(),
        "guest_addr": guest, "guest_port": port.container_port,
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
            // It closes with our end of file unread.
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
            add_hostfwd(&port),
            r#"{"execute":"add_hostfwd","arguments":{"proto":"udp","host_addr":"0.0.0.0","host_port":8080,"guest_addr":"10.0.2.100","guest_port":80}}"#
        );
        assert_eq!(remove_hostfwd(42), r#"{"execute":"remove_hostfwd","arguments":{"id":42}}"#);
    }
}
