//! Published ports: a process that has the host's side of each port and the container's side of each connection.
//!
//! ```text
//! client ⇄ HOST:PORT ─ relay ─ connection ⇄ 10.0.2.100:PORT server
//!          doors: opened in the   opened in the network's namespace, or with slirp4netns in the container's,
//!          host's namespace       by the client's own address
//! ```
//!
//! - Of a network with a name it serves TCP and UDP, for clients with IPv4 and IPv6 addresses. A client with IPv6 comes
//!   to the container's IPv6 address; if there is none, it appears as the gateway.
//! - TCP of slirp4netns is the relay's alone. The server sees the client's own address and port ([`inside`],
//!   [`marked`]), data moves without being copied ([`flow`]), and nothing of it crosses the tap device.
//! - UDP is shared with the helper, which binds the port for all addresses, and serves nobody on the host's loopback:
//!   with that closed, slirp4netns drops the answers to 127.0.0.1, and pasta of 2023 loses the datagrams (both tested).
//!   The kernel delivers a datagram to the socket with the exact address, and allows both because both permit reuse
//!   (slirp4netns only after its bind, which is exclusive). A port for loopback alone is bound only by the relay, and
//!   exclusively. Clients on loopback appear as the container itself.
//!
//! The relay is a fork of the monitor, which keeps the doors ([`doors`]): if the relay is killed, its connections are
//! lost, and the next one serves clients that come meanwhile. It joins the network namespace and its owner ([`spot`]),
//! keeps CAP_NET_RAW there, no other capability and no other descriptor, and dies with the monitor. It sleeps until
//! something arrives ([`serve`]).
//!
//! When the container has ended, the relay passes on what servers have said at last, and ends.

mod datagrams;
mod doors;
mod flow;
mod inside;
mod marked;
mod pipes;
mod serve;
mod spot;
mod stream;

use std::io::{self, ErrorKind};
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::time::{Duration, Instant};

use caps::Capability;
use rustix::pipe::{PipeFlags, pipe_with};

pub(crate) use doors::Doors;
use doors::{Door, SharedDoors};
use inside::Answers;
use inside::Inside;
pub(super) use inside::Reach;
use serve::Server;
pub(crate) use spot::Spot;

use super::error::Error;
use super::request::Request;
use super::wait::wait_readable;
use crate::sys::process::{self, Child, CloneOptions};
use crate::sys::spawn::seclude;
use crate::sys::{limits, prctl, transparent};
use crate::types::{PortMapping, Protocol};

/// How long the relay may take to pass on a server's last words. They have arrived already, so this is for clients.
const LAST_WORDS: Duration = Duration::from_millis(100);
/// A relay that ends sooner than this is not replaced at once, but after a pause that doubles each time.
const SHORT_LIFE: Duration = Duration::from_secs(1);
/// The first of these pauses, and the longest.
const PAUSES: [Duration; 2] = [Duration::from_millis(100), Duration::from_secs(5)];

/// The published ports that a relay serves, over all its processes. Dropping it kills the process, and closes the doors
/// unless somebody else has them.
#[derive(Debug)]
pub(super) struct Relay {
    doors: Arc<Doors>,
    shared: SharedDoors,
    spot: Spot,
    name: String,
    running: Option<Running>,
    /// If none runs: when the next one is started.
    next: Option<Instant>,
    pause: Duration,
}

/// A process.
#[derive(Debug)]
struct Running {
    child: Child,
    /// Its end tells the process that the container has ended.
    _monitor: OwnedFd,
    /// Readable when it serves.
    ready: OwnedFd,
    since: Instant,
}

impl Relay {
    /// Starts to serve ports of `request` at `spot`: those that are the relay's alone, as `is_ours` says and `doors`
    /// has them, and its part of the others. Does not wait; `None` if there are none. `driver` is for errors.
    ///
    /// Fails with the port if it cannot be had, or if no process can be made.
    pub(super) fn start(
        driver: &'static str,
        request: &Request,
        (doors, is_ours): (&Arc<Doors>, impl Fn(&PortMapping) -> bool),
        spot: Spot,
    ) -> Result<Option<Self>, Error> {
        let shared = SharedDoors::new(request, is_ours)?;
        if doors.iter().chain(shared.iter()).next().is_none() {
            return Ok(None);
        }
        doors.listen()?;
        let failed = |step| move |source: io::Error| Error::Talk { driver, step, source };
        let mut relay = Self {
            doors: Arc::clone(doors),
            shared,
            spot,
            name: request.name.clone(),
            running: None,
            next: None,
            pause: PAUSES[0],
        };
        relay.fork().map_err(failed("fork the relay of ports"))?;
        Ok(Some(relay))
    }

    /// Waits until it serves. The helper must have bound the ports that it shares.
    ///
    /// Fails with the port that cannot be had, and if the process cannot join the container's namespaces.
    pub(super) fn wait_ready(&self, driver: &'static str, deadline: Instant) -> Result<(), Error> {
        self.shared.bind()?;
        let failed = |step| move |source: io::Error| Error::Talk { driver, step, source };
        let Some(Running { ready, .. }) = &self.running else { return Ok(()) };
        wait_readable(&[ready.as_fd()], deadline).map_err(|e| failed("wait for the relay of ports")(e.into()))?;
        match rustix::io::read(ready, &mut [0]) {
            Ok(1) => Ok(()),
            _ => Err(failed("join the container's namespaces")(ErrorKind::PermissionDenied.into())),
        }
    }

    /// Readable when the process has ended, which it should not do while the container runs; `None` if none runs.
    pub(super) fn pidfd(&self) -> Option<BorrowedFd<'_>> {
        self.running.as_ref().map(|running| running.child.pidfd.as_fd())
    }

    /// When [`revive`](Self::revive) is to be called, without a process.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.next
    }

    /// Starts another process if the last one has ended, at once unless it has lived shortly; clients wait meanwhile.
    pub(super) fn revive(&mut self) {
        if let Some(running) = self.running.take() {
            drop(running.child.wait());
            let has_lived = running.since.elapsed();
            self.pause = if has_lived < SHORT_LIFE { self.pause } else { PAUSES[0] };
            self.next = Some(running.since + self.pause);
            if has_lived < SHORT_LIFE {
                self.pause = (self.pause * 2).min(PAUSES[1]);
            }
        }
        if self.next.is_some_and(|next| next <= Instant::now()) {
            self.next = None;
            if self.fork().is_err() {
                self.next = Some(Instant::now() + self.pause);
            }
        }
    }

    fn fork(&mut self) -> io::Result<()> {
        let (ended, monitor) = pipe_with(PipeFlags::CLOEXEC)?;
        let (ready, ready_in) = pipe_with(PipeFlags::CLOEXEC)?;
        let parent = rustix::process::getpid();
        let child = process::fork(&CloneOptions::default(), || {
            let doors: Vec<&Door> = self.doors.iter().chain(self.shared.iter()).collect();
            let serve = || {
                let inside = self.prepare(&doors, [&ended, &ready_in], parent)?;
                let mut server = Server::new(doors, inside, ended.as_fd())?;
                rustix::io::write(&ready_in, b"1")?;
                server.run()
            };
            i32::from(serve().is_err())
        })?;
        self.running = Some(Running { child, _monitor: monitor, ready, since: Instant::now() });
        Ok(())
    }

    /// Runs in the process: joins the container, and keeps only what it needs.
    fn prepare(&self, doors: &[&Door], ours: [&OwnedFd; 2], parent: rustix::process::Pid) -> io::Result<Inside> {
        let name = format!("rc: ports {}", self.name);
        prctl::set_name(&name)?;
        process::replace_command_line(&name)?;
        // Not dumpable, before the container could see it.
        prctl::set_dumpable(false)?;
        limits::set("RLIMIT_NOFILE", u64::MAX, u64::MAX)?;
        let has_tcp = doors.iter().any(|door| door.port.protocol == Protocol::Tcp);
        let inside = self.spot.enter(has_tcp)?;
        let kept: Vec<BorrowedFd<'_>> =
            doors.iter().map(|door| door.as_fd()).chain(ours.iter().map(|fd| fd.as_fd())).collect();
        let capabilities: &[Capability] = match inside.answers {
            Answers::Lost => &[],
            // CAP_NET_RAW allows marks from Linux 5.17 on.
            Answers::Marked(mark) if !can_mark(mark)? => &[Capability::CAP_NET_RAW, Capability::CAP_NET_ADMIN],
            Answers::Marked(_) | Answers::Filtered => &[Capability::CAP_NET_RAW],
        };
        seclude(&kept, parent, capabilities)?;
        Ok(inside)
    }
}

/// Whether CAP_NET_RAW alone allows marks. This process has all capabilities again afterwards.
fn can_mark(mark: u32) -> io::Result<bool> {
    use rustix::net::{AddressFamily, SocketFlags, SocketType, socket_with};
    let all = caps::read(None, caps::CapSet::Effective).map_err(io::Error::other)?;
    let socket = socket_with(AddressFamily::INET, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
    caps::set(None, caps::CapSet::Effective, &[Capability::CAP_NET_RAW].into()).map_err(io::Error::other)?;
    let marked = transparent::set_mark(&socket, mark);
    caps::set(None, caps::CapSet::Effective, &all).map_err(io::Error::other)?;
    Ok(marked.is_ok())
}

impl Drop for Relay {
    fn drop(&mut self) {
        if let Some(Running { child, _monitor: monitor, .. }) = self.running.take() {
            drop(monitor);
            // If other code has already reaped every child of this process, these fail, which does no harm.
            wait_readable(&[child.pidfd.as_fd()], Instant::now() + LAST_WORDS).ok();
            if child.signal(libc::SIGKILL).is_ok() {
                child.wait().ok();
            }
        }
        self.doors.refuse();
    }
}
