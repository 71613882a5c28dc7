//! Published UDP ports on the host's own loopback.
//!
//! Neither helper serves them: with the host's loopback closed, slirp4netns drops the answers to 127.0.0.1, and pasta
//! of 2023 loses the datagrams (both tested). So a small process, a fork of the monitor, has the host's side of each
//! port on loopback and creates, within the container's network namespace, a connected socket for each client:
//!
//! ```text
//! client ⇄ 127.0.0.1:PORT ─ relay ─ session ⇄ 10.0.2.100:PORT server
//!          opened in the host's namespace     opened in the container's
//! ```
//!
//! The helper also binds a port for all addresses. The kernel delivers a datagram to the socket with the exact address,
//! and allows both because both permit reuse (slirp4netns only after its bind, which is exclusive). A port for loopback
//! alone is bound only by the relay, and exclusively.
//!
//! The relay joins the container's user and network namespace, drops every capability, keeps no other descriptor and
//! dies with the monitor. It sleeps until a datagram arrives; sessions end after [`IDLE`] without one.

use std::io::{self, ErrorKind};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use nix::sched::CloneFlags;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, socket_with, sockopt};
use rustix::pipe::{PipeFlags, pipe_with};

use super::error::Error;
use super::ports;
use super::wait::wait_readable;
use crate::sys::process::{self, Child, CloneOptions};
use crate::sys::spawn::seclude;
use crate::types::PortMapping;

/// How long a client may be silent before its session ends; if it continues later, it gets another source port.
const IDLE: Duration = Duration::from_secs(120);
/// The maximum number of sessions, below the usual limit of 1024 descriptors; one more ends the session that has been
/// silent longest.
const MAX_SESSIONS: usize = 512;
/// The longest datagram.
const DATAGRAM: usize = 64 << 10;

/// A running relay. Dropping it kills and reaps it.
#[derive(Debug)]
pub(super) struct Relay(Child);

impl Drop for Relay {
    fn drop(&mut self) {
        // If other code has already reaped every child of this process, both calls fail, which does no harm.
        if self.0.signal(libc::SIGKILL).is_ok() {
            self.0.wait().ok();
        }
    }
}

impl Relay {
    /// Serves those of `ports` that are reachable from loopback, at the container's address `inside`, after the helper
    /// has bound its own; `None` if there are none.
    ///
    /// Fails with the port if it cannot be bound, or if the relay cannot join the namespaces of `target`.
    pub(super) fn start(
        driver: &'static str,
        inside: Ipv4Addr,
        ports: &[PortMapping],
        target: i32,
        deadline: Instant,
    ) -> Result<Option<Self>, Error> {
        let failed = |step| move |source: io::Error| Error::Talk { driver, step, source };
        let doors = ports
            .iter()
            .filter_map(|port| Some((port, ports::relayed_address(port)?)))
            .map(|(port, address)| Door::open(port, address, inside).map_err(|errno| ports::refused(port, errno)))
            .collect::<Result<Vec<_>, _>>()?;
        if doors.is_empty() {
            return Ok(None);
        }
        let pidfd = process::open_pidfd(target).map_err(failed("open the container's process"))?;
        let (ready, ready_in) = pipe_with(PipeFlags::CLOEXEC).map_err(|e| failed("create a pipe")(e.into()))?;
        let parent = rustix::process::getpid();
        let child = process::fork(&CloneOptions::default(), || {
            let served = prepare(&doors, &pidfd, &ready_in, parent).and_then(|()| serve(&doors));
            i32::from(served.is_err())
        });
        let relay = Self(child.map_err(failed("fork the relay of UDP ports"))?);
        drop(ready_in);
        wait_readable(&[ready.as_fd()], deadline).map_err(|e| failed("wait for the relay of UDP ports")(e.into()))?;
        match rustix::io::read(&ready, &mut [0]) {
            Ok(1) => Ok(Some(relay)),
            _ => Err(failed("join the container's namespaces")(ErrorKind::PermissionDenied.into())),
        }
    }
}

/// Runs in the relay: joins the container, keeps only what it needs, and reports that.
fn prepare(doors: &[Door], pidfd: &OwnedFd, ready: &OwnedFd, parent: rustix::process::Pid) -> io::Result<()> {
    crate::sys::prctl::set_name("rc: udp")?;
    // Not dumpable, before the container could see it.
    crate::sys::prctl::set_dumpable(false)?;
    crate::sys::namespace::join(pidfd.as_fd(), CloneFlags::CLONE_NEWUSER | CloneFlags::CLONE_NEWNET)?;
    let kept: Vec<BorrowedFd<'_>> = doors.iter().map(|door| door.outer.as_fd()).chain([ready.as_fd()]).collect();
    seclude(&kept, parent)?;
    rustix::io::write(ready, b"1")?;
    Ok(())
}

/// A published port: the host's side, and the server inside.
#[derive(Debug)]
struct Door {
    outer: UdpSocket,
    inner: SocketAddr,
}

impl Door {
    fn open(port: &PortMapping, address: SocketAddr, inside: Ipv4Addr) -> Result<Self, Errno> {
        let family = if address.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let socket = socket_with(family, SocketType::DGRAM, flags, None)?;
        if ports::is_for_helper(port) {
            sockopt::set_socket_reuseaddr(&socket, true)?;
        }
        bind(&socket, &address)?;
        Ok(Self { outer: UdpSocket::from(socket), inner: SocketAddr::new(IpAddr::V4(inside), port.container_port) })
    }
}

/// One client of one port.
struct Session {
    door: usize,
    client: SocketAddr,
    inner: UdpSocket,
    used: Instant,
}

impl Session {
    fn open(doors: &[Door], door: usize, client: SocketAddr) -> io::Result<Self> {
        let inner = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))?;
        inner.connect(doors[door].inner)?;
        inner.set_nonblocking(true)?;
        Ok(Self { door, client, inner, used: Instant::now() })
    }
}

/// Forwards datagrams in both directions until the process is killed. A datagram that cannot be delivered is lost, as
/// usual with UDP.
fn serve(doors: &[Door]) -> io::Result<()> {
    let mut sessions: Vec<Session> = Vec::new();
    let mut datagram = vec![0; DATAGRAM];
    loop {
        let polled = wait(doors, &sessions)?;
        let (outer, inner) = polled.split_at(doors.len());
        for (session, _) in sessions.iter_mut().zip(inner).filter(|(_, is_readable)| **is_readable) {
            // An error means that the server refused it (ECONNREFUSED): the client gets no answer.
            while let Ok(length) = session.inner.recv(&mut datagram) {
                doors[session.door].outer.send_to(&datagram[..length], session.client).ok();
                session.used = Instant::now();
            }
        }
        for (door, _) in outer.iter().enumerate().filter(|(_, is_readable)| **is_readable) {
            while let Ok((length, client)) = doors[door].outer.recv_from(&mut datagram) {
                if let Ok(session) = session_of(&mut sessions, doors, door, client) {
                    session.inner.send(&datagram[..length]).ok();
                    session.used = Instant::now();
                }
            }
        }
        sessions.retain(|session| session.used.elapsed() < IDLE);
    }
}

fn session_of<'a>(
    sessions: &'a mut Vec<Session>,
    doors: &[Door],
    door: usize,
    client: SocketAddr,
) -> io::Result<&'a mut Session> {
    let known = sessions.iter().position(|session| session.door == door && session.client == client);
    let index = match known {
        Some(index) => index,
        None => {
            if sessions.len() >= MAX_SESSIONS
                && let Some((oldest, _)) = sessions.iter().enumerate().min_by_key(|(_, session)| session.used)
            {
                sessions.swap_remove(oldest);
            }
            sessions.push(Session::open(doors, door, client)?);
            sessions.len() - 1
        }
    };
    Ok(&mut sessions[index])
}

/// Sleeps until a socket is readable or the next session expires; returns for each port, then for each session, whether
/// it is readable.
fn wait(doors: &[Door], sessions: &[Session]) -> io::Result<Vec<bool>> {
    let sockets = doors.iter().map(|door| &door.outer).chain(sessions.iter().map(|session| &session.inner));
    let mut polled: Vec<_> = sockets.map(|socket| PollFd::new(socket, PollFlags::IN)).collect();
    let next_end = sessions.iter().map(|session| IDLE.saturating_sub(session.used.elapsed())).min();
    // A second longer, so that the session has certainly expired then.
    let timeout = next_end.map(|left| Timespec { tv_sec: left.as_secs().cast_signed() + 1, tv_nsec: 0 });
    loop {
        match poll(&mut polled, timeout.as_ref()) {
            Err(Errno::INTR) => {}
            other => break other.map(drop)?,
        }
    }
    Ok(polled.iter().map(|fd| !fd.revents().is_empty()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_go_to_the_client_that_asked() {
        let server = UdpSocket::bind("127.0.0.1:0").expect("bind");
        let outer = UdpSocket::bind("127.0.0.1:0").expect("bind");
        outer.set_nonblocking(true).expect("nonblocking");
        let address = outer.local_addr().expect("address");
        let doors = vec![Door { outer, inner: server.local_addr().expect("address") }];
        // They end with the test process.
        std::thread::spawn(move || serve(&doors));
        std::thread::spawn(move || {
            let mut bytes = [0; 1500];
            while let Ok((length, peer)) = server.recv_from(&mut bytes) {
                server.send_to(&bytes[..length], peer).expect("answer");
            }
        });
        let clients = [(); 3].map(|()| UdpSocket::bind("127.0.0.1:0").expect("bind"));
        for round in 0..3u8 {
            for (number, client) in (0..).zip(&clients) {
                client.send_to(&[round, number], address).expect("send");
            }
            for (number, client) in (0..).zip(&clients) {
                client.set_read_timeout(Some(Duration::from_secs(10))).expect("timeout");
                let mut answer = [0; 8];
                assert_eq!(client.recv_from(&mut answer).expect("answer"), (2, address));
                assert_eq!(answer[..2], [round, number]);
            }
        }
    }

    #[test]
    fn loopback_is_relayed_for_udp_alone() {
        let port =
            |ip: &str, protocol| PortMapping { host_ip: ip.parse().ok(), host_port: 53, container_port: 53, protocol };
        let (tcp, udp) = (crate::types::Protocol::Tcp, crate::types::Protocol::Udp);
        let relayed = |ip, protocol| {
            let port = port(ip, protocol);
            (ports::relayed_address(&port).map(|address| address.to_string()), ports::is_for_helper(&port))
        };
        let loopback = || Some("127.0.0.1:53".to_owned());
        assert_eq!(relayed("", udp), (loopback(), true));
        assert_eq!(relayed("0.0.0.0", udp), (loopback(), true));
        assert_eq!(relayed("127.0.0.1", udp), (loopback(), false));
        assert_eq!(relayed("::1", udp), (Some("[::1]:53".to_owned()), false));
        assert_eq!(relayed("192.0.2.2", udp), (None, true));
        assert_eq!(relayed("127.0.0.1", tcp), (None, true));
    }
}
