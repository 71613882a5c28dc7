//! What every network driver does, and the process that most of them are.

use std::ffi::CString;
use std::fmt;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

use super::addresses::{self, Addresses};
use super::relay::Relay;
use super::slirp4netns::Forwards;
use super::{Error, Programs, pasta, ports, slirp4netns};
use crate::sys::lock::FileLock;
use crate::sys::spawn::Helper;
use crate::types::{NetworkMode, PortMapping};

/// How long a helper may take to let go of its ports, before it is rather killed: it answers in a fraction of a millisecond.
const CLOSING_PATIENCE: Duration = Duration::from_millis(100);

/// Which driver.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Kind {
    /// Loopback only.
    None,
    /// The host's own network namespace.
    Host,
    /// slirp4netns.
    Slirp4netns,
    /// pasta.
    Pasta,
}

impl Kind {
    /// The name that `--network` takes.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Host => "host",
            Self::Slirp4netns => "slirp4netns",
            Self::Pasta => "pasta",
        }
    }

    /// The driver.
    pub(crate) fn driver(self) -> &'static dyn Driver {
        match self {
            Self::None => &Unconnected(Self::None),
            Self::Host => &Unconnected(Self::Host),
            Self::Slirp4netns => &slirp4netns::Slirp4netns,
            Self::Pasta => &pasta::Pasta,
        }
    }
}

impl From<&NetworkMode> for Kind {
    fn from(mode: &NetworkMode) -> Self {
        match mode {
            NetworkMode::None => Self::None,
            NetworkMode::Host => Self::Host,
            NetworkMode::Slirp4netns => Self::Slirp4netns,
            NetworkMode::Pasta => Self::Pasta,
        }
    }
}

/// What one container wants of its network.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    /// The published ports, each complete.
    pub(crate) ports: Vec<PortMapping>,
    /// Where the helpers are.
    pub(crate) programs: Programs,
    /// An existing private directory of this container alone; nothing stays in it once the network is up.
    pub(crate) directory: PathBuf,
    /// An existing private directory that all containers of the user share, for locks.
    pub(crate) locks: PathBuf,
}

/// Connects network namespaces of one kind.
pub(crate) trait Driver: fmt::Debug + Sync {
    /// Which driver this is.
    fn kind(&self) -> Kind;

    /// Finds what would fail later, while there is nothing to undo: the program is missing, a port is taken, privileged or
    /// of a family that the driver does not have. Changes nothing; passing it reserves nothing.
    fn validate(&self, request: &Request) -> Result<(), Error>;

    /// Starts to connect the user and network namespace of process `target`, which must be dumpable until the network is
    /// up, and does not wait. On failure nothing is left.
    fn start(&self, request: &Request, target: i32) -> Result<Starting, Error>;

    /// Makes the published ports listen, if that comes after the interface; called by [`Starting::wait_ready`]. Gives the
    /// way to free them before the helper ends, if there is one.
    fn publish(&self, _starting: &Starting, _deadline: Instant) -> Result<Option<Forwards>, Error> {
        Ok(None)
    }

    /// Finds the sentence for a helper that ended while it was starting; called by [`Starting::wait_ready`].
    fn explain(&self, _starting: &Starting, error: Error) -> Error {
        error
    }

    /// The addresses inside, if the container has a network of its own.
    fn addresses(&self) -> Option<Addresses> {
        addresses::of(self.kind())
    }
}

/// `none` and `host`: nothing to start.
#[derive(Debug)]
struct Unconnected(Kind);

impl Driver for Unconnected {
    fn kind(&self) -> Kind {
        self.0
    }

    fn validate(&self, request: &Request) -> Result<(), Error> {
        match request.ports.first() {
            Some(port) => Err(Error::NoPorts { driver: self.0.as_str(), port: port.clone() }),
            None => Ok(()),
        }
    }

    fn start(&self, request: &Request, target: i32) -> Result<Starting, Error> {
        Ok(Starting { driver: self.0.driver(), request: request.clone(), target, process: None, _lock: None })
    }
}

/// A helper that has been started, with the descriptors by which it is driven.
#[derive(Debug)]
pub(super) struct Process {
    pub(super) helper: Helper,
    /// Becomes readable when the interface is configured; at its end if the helper gives up.
    pub(super) ready: OwnedFd,
    /// Held open: the helper ends when it is closed.
    pub(super) _exit: Option<OwnedFd>,
}

/// A network that is being set up. Dropped, it is undone.
#[derive(Debug)]
pub(crate) struct Starting {
    pub(super) driver: &'static dyn Driver,
    pub(super) request: Request,
    /// The pid whose namespaces are connected.
    pub(super) target: i32,
    pub(super) process: Option<Process>,
    /// Held until the ports listen.
    pub(super) _lock: Option<FileLock>,
}

impl Starting {
    /// Descriptors of which one is readable as soon as [`wait_ready`](Self::wait_ready) need not wait for the helper; `None`
    /// without a helper.
    pub(crate) fn awaited(&self) -> Option<[BorrowedFd<'_>; 2]> {
        self.process.as_ref().map(|process| [process.ready.as_fd(), process.helper.pidfd()])
    }

    /// Waits until the container can use its network and its ports listen.
    ///
    /// Fails if the helper ends or says no (with its words), or at `deadline`; the helper is gone then.
    pub(crate) fn wait_ready(self, deadline: Instant) -> Result<Running, Error> {
        let (mut relay, mut forwards) = (None, None);
        if let Some(process) = &self.process {
            self.wait_interface(process, deadline)?;
            forwards = self.driver.publish(&self, deadline)?;
            relay = Relay::start(self.driver.kind(), &self.request.ports, self.target, deadline)?;
            // What it said so far was about its start; keep the room for what it says at its end.
            process.helper.last_words();
        }
        let holds_ports = self.process.is_some() && self.request.ports.iter().any(ports::is_for_helper);
        Ok(Running { driver: self.driver, process: self.process, relay, forwards, holds_ports })
    }

    fn wait_interface(&self, process: &Process, deadline: Instant) -> Result<(), Error> {
        let driver = self.driver.kind().as_str();
        let talk = |step| move |errno: Errno| Error::Talk { driver, step, source: errno.into() };
        if !wait_readable(&[process.ready.as_fd(), process.helper.pidfd()], deadline).map_err(talk("wait"))? {
            return Err(Error::NotReady { driver, words: process.helper.last_words() });
        }
        let mut byte = [0; 64];
        match rustix::io::read(&process.ready, &mut byte) {
            Ok(0) | Err(Errno::AGAIN) => {}
            Ok(_) => return Ok(()),
            Err(errno) => return Err(talk("read the ready descriptor")(errno)),
        }
        // The end of that pipe: it has given up, and will have ended in a moment.
        if !wait_readable(&[process.helper.pidfd()], deadline).map_err(talk("wait"))? {
            return Err(Error::NotReady { driver, words: process.helper.last_words() });
        }
        let ended = process.helper.wait().ok();
        let words = process.helper.last_words();
        Err(self.driver.explain(self, Error::HelperEnded { driver, ended, words }))
    }
}

/// An argument or a path for a helper.
pub(super) fn text(argument: impl Into<Vec<u8>>) -> CString {
    // Paths of existing files and numbers have no NUL; one that did would name nothing.
    CString::new(argument).unwrap_or_default()
}

/// Waits until one of `descriptors` is readable or at its end; `false` at the deadline.
pub(super) fn wait_readable(descriptors: &[BorrowedFd<'_>], deadline: Instant) -> Result<bool, Errno> {
    let mut polled: Vec<_> = descriptors.iter().map(|fd| PollFd::new(fd, PollFlags::IN)).collect();
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        match poll(&mut polled, Some(&timespec(left))) {
            Err(Errno::INTR) => {}
            Err(errno) => return Err(errno),
            Ok(count) => return Ok(count > 0),
        }
    }
}

fn timespec(duration: Duration) -> Timespec {
    Timespec { tv_sec: i64::try_from(duration.as_secs()).unwrap_or(i64::MAX), tv_nsec: duration.subsec_nanos().into() }
}

/// A network in use. Dropped, the helper is killed and reaped, and every published port is free.
#[derive(Debug)]
pub(crate) struct Running {
    driver: &'static dyn Driver,
    process: Option<Process>,
    relay: Option<Relay>,
    forwards: Option<Forwards>,
    /// Whether the helper holds published ports.
    holds_ports: bool,
}

impl Running {
    /// Readable when the helper has ended, which it should not while the container lives; `None` without a helper.
    pub(crate) fn pidfd(&self) -> Option<BorrowedFd<'_>> {
        self.process.as_ref().map(|process| process.helper.pidfd())
    }

    /// The helper's pid.
    #[cfg(test)]
    pub(crate) fn pid(&self) -> Option<i32> {
        self.process.as_ref().map(|process| process.helper.pid())
    }

    /// The addresses inside.
    pub(crate) fn addresses(&self) -> Option<Addresses> {
        self.driver.addresses()
    }

    /// Frees every published port while the helper still runs: its own end takes the kernel some 20 ms, in which its tap
    /// device is closed. `false` if ports are free only when the network has been dropped.
    pub(crate) fn free_ports(&mut self) -> bool {
        self.relay = None;
        let deadline = Instant::now() + CLOSING_PATIENCE;
        !self.holds_ports || self.forwards.as_ref().is_some_and(|forwards| forwards.close(deadline))
    }
}
