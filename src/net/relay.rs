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
//!
//! When the container's networks change, another process may have to serve, elsewhere ([`Relay::move_to`]). Clients
//! that come are its own from then on; the process before it ends with its last connection, or is told to reset them if
//! the network was left ([`one`]).

mod datagrams;
mod doors;
mod flow;
mod inside;
mod marked;
mod one;
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
use one::One;
use serve::Server;
pub(crate) use spot::Spot;

use super::error::Error;
use super::request::Request;
use super::wait::wait_readable;
use crate::sys::process::{self, CloneOptions};
use crate::sys::spawn::seclude;
use crate::sys::{limits, prctl, transparent};
use crate::types::{PortMapping, Protocol};

/// A relay that ends sooner than this is not replaced at once, but after a pause that doubles each time.
const SHORT_LIFE: Duration = Duration::from_secs(1);
/// The first of these pauses, and the longest.
const PAUSES: [Duration; 2] = [Duration::from_millis(100), Duration::from_secs(5)];
/// The most processes that only have connections from before a move; one more resets those of the oldest.
const RETIRED: usize = 8;

/// The published ports that a relay serves, over all its processes. Dropping it ends them, and closes the doors unless
/// somebody else has them.
#[derive(Debug)]
pub(super) struct Relay {
    doors: Arc<Doors>,
    shared: SharedDoors,
    /// `None` while the container is in no network: clients are refused.
    spot: Option<Spot>,
    name: String,
    running: Option<One>,
    /// Those that no longer accept, the oldest first, and where they are.
    retired: Vec<(Spot, One)>,
    /// If none runs: when the next one is started.
    next: Option<Instant>,
    pause: Duration,
}

impl Relay {
    /// Starts to serve ports of `request` at `spot`: those that are the relay's alone, as `is_ours` says and `doors`
    /// has them, and its part of the others. Without a spot it refuses clients. Does not wait; `None` if there are no
    /// ports. `driver` is for errors.
    ///
    /// Fails with the port if it cannot be had, or if no process can be made.
    pub(super) fn start(
        driver: &'static str,
        request: &Request,
        (doors, is_ours): (&Arc<Doors>, impl Fn(&PortMapping) -> bool),
        spot: Option<Spot>,
    ) -> Result<Option<Self>, Error> {
        let shared = SharedDoors::new(request, is_ours)?;
        if doors.iter().chain(shared.iter()).next().is_none() {
            return Ok(None);
        }
        let failed = |step| move |source: io::Error| Error::Talk { driver, step, source };
        let mut relay = Self {
            doors: Arc::clone(doors),
            shared,
            spot,
            name: request.name.clone(),
            running: None,
            retired: Vec::new(),
            next: None,
            pause: PAUSES[0],
        };
        if relay.spot.is_some() {
            relay.doors.listen()?;
            relay.fork().map_err(failed("fork the relay of ports"))?;
        } else {
            relay.doors.refuse();
        }
        Ok(Some(relay))
    }

    /// Serves at `spot` from now on, or nowhere. Connections at a spot that `lasts` go on as long as they want, all
    /// others are reset.
    ///
    /// Fails with the first port on which it cannot listen again.
    pub(super) fn move_to(&mut self, spot: Option<Spot>, lasts: &dyn Fn(&Spot) -> bool) -> Result<(), Error> {
        let (kept, left): (Vec<_>, Vec<_>) = self.retired.drain(..).partition(|(spot, _)| lasts(spot));
        self.retired = kept;
        left.into_iter().for_each(|(_, one)| one.reset());
        if self.spot == spot {
            return Ok(());
        }
        let before = std::mem::replace(&mut self.spot, spot);
        (self.next, self.pause) = (None, PAUSES[0]);
        match (before, self.running.take()) {
            (Some(before), Some(running)) if lasts(&before) => {
                running.retire();
                self.retired.push((before, running));
            }
            (_, Some(running)) => running.reset(),
            (_, None) => {}
        }
        if self.retired.len() > RETIRED {
            self.retired.remove(0).1.reset();
        }
        if self.spot.is_none() {
            self.doors.refuse();
            return Ok(());
        }
        self.doors.listen()?;
        self.start_next();
        Ok(())
    }

    /// The container has another name.
    pub(super) fn rename(&mut self, name: &str) {
        name.clone_into(&mut self.name);
        self.running.iter().chain(self.retired.iter().map(|(_, one)| one)).for_each(|one| one.rename(name));
    }

    /// Waits until it serves. The helper must have bound the ports that it shares.
    ///
    /// Fails with the port that cannot be had, and if the process cannot join the container's namespaces.
    pub(super) fn wait_ready(&self, driver: &'static str, deadline: Instant) -> Result<(), Error> {
        self.shared.bind()?;
        let failed = |step| move |source: io::Error| Error::Talk { driver, step, source };
        let Some(One { ready, .. }) = &self.running else { return Ok(()) };
        wait_readable(&[ready.as_fd()], deadline).map_err(|e| failed("wait for the relay of ports")(e.into()))?;
        match rustix::io::read(ready, &mut [0]) {
            Ok(1) => Ok(()),
            _ => Err(failed("join the container's namespaces")(ErrorKind::PermissionDenied.into())),
        }
    }

    /// Readable when [`revive`](Self::revive) is to be called: a process has ended.
    pub(super) fn pidfds(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        self.running.iter().chain(self.retired.iter().map(|(_, one)| one)).map(One::pidfd)
    }

    /// When [`revive`](Self::revive) is to be called, without a process.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.next
    }

    /// Starts another process if the one that serves has ended, at once unless it has lived shortly; clients wait
    /// meanwhile.
    pub(super) fn revive(&mut self) {
        self.retired.retain(|(_, one)| !one.has_ended());
        if let Some(running) = self.running.take_if(|running| running.has_ended()) {
            let has_lived = running.since.elapsed();
            self.pause = if has_lived < SHORT_LIFE { self.pause } else { PAUSES[0] };
            self.next = Some(running.since + self.pause);
            if has_lived < SHORT_LIFE {
                self.pause = (self.pause * 2).min(PAUSES[1]);
            }
        }
        if self.next.is_some_and(|next| next <= Instant::now()) {
            self.start_next();
        }
    }

    /// Starts a process; if that is not possible, after a pause.
    fn start_next(&mut self) {
        self.next = None;
        if self.fork().is_err() {
            self.next = Some(Instant::now() + self.pause);
        }
    }

    fn fork(&mut self) -> io::Result<()> {
        let Some(spot) = &self.spot else { return Ok(()) };
        let (words, monitor) = pipe_with(PipeFlags::CLOEXEC)?;
        rustix::io::ioctl_fionbio(&monitor, true)?;
        let (ready, ready_in) = pipe_with(PipeFlags::CLOEXEC)?;
        let parent = rustix::process::getpid();
        let child = process::fork(&CloneOptions::default(), || {
            let doors: Vec<&Door> = self.doors.iter().chain(self.shared.iter()).collect();
            let serve = || {
                let inside = self.prepare(spot, &doors, [&words, &ready_in], parent)?;
                let mut server = Server::new(doors, inside, words.as_fd())?;
                rustix::io::write(&ready_in, b"1")?;
                server.run()
            };
            i32::from(serve().is_err())
        })?;
        self.running = Some(One::new(child, monitor, ready));
        Ok(())
    }

    /// Runs in the process: joins the container, and keeps only what it needs.
    fn prepare(
        &self,
        spot: &Spot,
        doors: &[&Door],
        ours: [&OwnedFd; 2],
        parent: rustix::process::Pid,
    ) -> io::Result<Inside> {
        one::take_title(&self.name)?;
        // Not dumpable, before the container could see it.
        prctl::set_dumpable(false)?;
        limits::set("RLIMIT_NOFILE", u64::MAX, u64::MAX)?;
        let has_tcp = doors.iter().any(|door| door.port.protocol == Protocol::Tcp);
        let inside = spot.enter(has_tcp)?;
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
        // All at the same time.
        let retired = std::mem::take(&mut self.retired).into_iter().map(|(_, one)| one);
        drop(self.running.take().into_iter().chain(retired).map(One::last_words).collect::<Vec<_>>());
        self.doors.refuse();
    }
}
