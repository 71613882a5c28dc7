//! A process of a container that is setting itself up, as the monitor sees it: how it comes to be, and the conversation
//! with it until its program runs. What is said stands in `sync`.
//!
//! ```text
//! monitor ── fork ─→ go-between   enters the namespaces, clones the process as the monitor's child, passes its pidfd on
//!    └── sync socket ──→ the process ─→ stub ─→ the program
//! ```

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use oci_spec::runtime::Process;

use super::sync::{hear, tell};
use super::{Error, Failure, FailureKind, Progress};
use crate::sys::process::{Child, CloneOptions, fork};
use crate::sys::{fs, socket};

/// A process that has been made and is setting itself up.
#[derive(Debug)]
pub struct Starting {
    /// The process, a child of this one.
    pub process: Child,
    sync: OwnedFd,
    program: String,
}

/// The two ends of the sync socket, as a go-between has them.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sync<'a> {
    /// The monitor's, which the new process has to close.
    pub(super) monitor: BorrowedFd<'a>,
    /// The new process' own.
    pub(super) own: &'a OwnedFd,
}

/// A forked go-between, in which `work` makes the process as the monitor's child and says so ([`Progress::Process`]).
#[derive(Debug)]
pub(super) struct Between {
    child: Child,
    sync: OwnedFd,
    name: &'static str,
    program: String,
}

impl Between {
    /// Forks the go-between `name`; `process` describes the program.
    pub(super) fn fork(
        name: &'static str,
        options: &CloneOptions<'_>,
        process: Option<&Process>,
        work: impl FnOnce(Sync<'_>) -> Result<(), Failure>,
    ) -> Result<Self, Error> {
        let (sync, theirs) = socket::pair().map_err(Error::step("make a socket pair"))?;
        let child = fork(options, || match work(Sync { monitor: sync.as_fd(), own: &theirs }) {
            Ok(()) => 0,
            Err(failure) => report(failure, theirs.as_fd()),
        })
        .map_err(Error::step("fork"))?;
        let program = process.and_then(|process| process.args().as_ref()?.first().cloned()).unwrap_or_default();
        Ok(Self { child, sync, name, program })
    }

    /// The monitor's end of the sync socket.
    pub(super) fn sync(&self) -> BorrowedFd<'_> {
        self.sync.as_fd()
    }

    /// Waits for the process that it makes.
    ///
    /// Fails with what the go-between told; nothing is left behind then.
    pub(super) fn finish(self) -> Result<Starting, Error> {
        let first = hear(self.sync.as_fd());
        drop(self.child.wait());
        match first.map_err(Error::step("hear of the new process"))? {
            Progress::Process(pidfd) => {
                let pid = pid_of(pidfd.as_fd()).map_err(Error::step("read the new process' pid"))?;
                Ok(Starting { process: Child { pid, pidfd }, sync: self.sync, program: self.program })
            }
            Progress::Failed(failure) => Err(Error::Failed(failure)),
            _ => Err(Error::Died(self.name)),
        }
    }

    /// Takes it back before it has made anything: it sees that its monitor has left the conversation.
    pub(super) fn dismiss(self) {
        drop(self.sync);
        drop(self.child.wait());
    }
}

impl Starting {
    /// Readable when there is something to hear.
    pub fn sync(&self) -> BorrowedFd<'_> {
        self.sync.as_fd()
    }

    /// Waits for the next word.
    pub fn progress(&self) -> Result<Progress, Error> {
        match hear(self.sync.as_fd()).map_err(Error::step("hear from the new process"))? {
            Progress::Refused(errno) => Ok(Progress::Failed(Failure::program(&self.program, errno))),
            other => Ok(other),
        }
    }

    /// Lets init go on, after it wanted the network.
    pub fn network_is_up(&self) -> Result<(), Error> {
        tell(self.sync.as_fd(), &Progress::NetworkUp).map_err(Error::step("speak to init"))
    }
}

/// Tells the monitor, from the process that could not start, and gives this process' exit code.
pub(super) fn report(failure: Failure, sync: BorrowedFd<'_>) -> i32 {
    let code = match failure.kind {
        FailureKind::Setup | FailureKind::NoOverlay => 125,
        FailureKind::CannotRun => 126,
        FailureKind::NotFound => 127,
    };
    // If nobody listens any more, there is nobody to tell.
    drop(tell(sync, &Progress::Failed(failure)));
    code
}

/// The pid that a pidfd refers to, in this process' pid namespace. Source: pidfd_open(2), `/proc/self/fdinfo`.
pub(super) fn pid_of(pidfd: BorrowedFd<'_>) -> io::Result<i32> {
    use std::os::fd::AsRawFd as _;
    let info = fs::read_to_string(format!("/proc/self/fdinfo/{}", pidfd.as_raw_fd())).map_err(|e| e.source)?;
    info.lines()
        .find_map(|line| line.strip_prefix("Pid:")?.trim().parse().ok())
        .filter(|pid| *pid > 0)
        .ok_or_else(|| io::Error::from_raw_os_error(libc::ESRCH))
}
