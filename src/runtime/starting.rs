//! A process of a container that is setting itself up, as the monitor sees it: how it comes to be, and the conversation
//! with it until its program runs. What is said stands in `sync`.
//!
//! ```text
//! monitor ── fork ─→ go-between   enters the namespaces, clones the monitor's child, passes its pidfd on
//!    └── sync socket ──→ the process ─→ stub ─→ the program
//! ```

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use oci_spec::runtime::Process;

use super::sync::{hear, tell};
use super::{Error, Failure, Progress};
use crate::sys::process::{Child, CloneOptions, fork};
use crate::sys::{fs, socket};

/// A process that has been made and is setting itself up.
#[derive(Debug)]
pub(crate) struct Starting {
    /// The process, a child of this one.
    pub(crate) process: Child,
    /// What it says meanwhile.
    pub(crate) conversation: Conversation,
}

/// The monitor's side of the sync socket. It never waits.
#[derive(Debug)]
pub(crate) struct Conversation {
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
    conversation: Conversation,
    name: &'static str,
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
        Ok(Self { child, conversation: Conversation { sync, program }, name })
    }

    /// The monitor's end of the sync socket.
    pub(super) fn sync(&self) -> BorrowedFd<'_> {
        self.conversation.sync()
    }

    /// Waits for the process that it makes. Only for a go-between whose pace the container cannot set: one that is in
    /// no cgroup of the container's, and enters no namespace of it.
    ///
    /// Fails with what the go-between told; nothing is left behind then.
    pub(super) fn finish(self) -> Result<Starting, Error> {
        let first = hear(self.sync());
        drop(self.child.wait());
        match first.map_err(Error::step("hear of the new process"))? {
            Progress::Process(pidfd) => self.conversation.with(pidfd),
            Progress::Failed(failure) => Err(Error::Failed(failure)),
            _ => Err(Error::Died(self.name)),
        }
    }

    /// The go-between, to be waited for, and the conversation in which it tells of the process that it makes.
    pub(super) fn into_parts(self) -> Result<(Child, Conversation), Error> {
        self.conversation.never_waits()?;
        Ok((self.child, self.conversation))
    }

    /// Takes it back before it has made anything: it sees that its monitor has left the conversation.
    pub(super) fn dismiss(self) {
        drop(self.conversation);
        drop(self.child.wait());
    }
}

impl Conversation {
    /// Readable when there is something to hear.
    pub(crate) fn sync(&self) -> BorrowedFd<'_> {
        self.sync.as_fd()
    }

    /// The next word; `None` if nothing has been said yet.
    ///
    /// A process that has ended says no more, but its end of the socket may be in another process' hands, so that
    /// [`Progress::Closed`] never comes: a caller who sees it end goes by that.
    pub(crate) fn progress(&self) -> Result<Option<Progress>, Error> {
        match hear(self.sync()) {
            Ok(Progress::Refused(errno)) => Ok(Some(Progress::Failed(Failure::program(&self.program, errno)))),
            Ok(other) => Ok(Some(other)),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
            Err(error) => Err(Error::step("hear from the new process")(error)),
        }
    }

    /// Lets init go on, after it wanted the network.
    pub(crate) fn network_is_up(&self) -> Result<(), Error> {
        tell(self.sync(), &Progress::NetworkUp).map_err(Error::step("speak to init"))
    }

    /// Goes on with the process that the go-between has made.
    pub(crate) fn with(self, pidfd: OwnedFd) -> Result<Starting, Error> {
        self.never_waits()?;
        Ok(Starting { process: child_of(pidfd)?, conversation: self })
    }

    fn never_waits(&self) -> Result<(), Error> {
        rustix::io::ioctl_fionbio(&self.sync, true).map_err(|error| Error::step("set up a socket")(error.into()))
    }
}

/// The child of this process that a go-between has made.
pub(crate) fn child_of(pidfd: OwnedFd) -> Result<Child, Error> {
    let pid = pid_of(pidfd.as_fd()).map_err(Error::step("read the new process' pid"))?;
    Ok(Child { pid, pidfd })
}

/// Tells the monitor, from the process that could not start, and gives this process' exit code.
pub(super) fn report(failure: Failure, sync: BorrowedFd<'_>) -> i32 {
    let code = failure.report.kind.shell_code().unwrap_or(125);
    // If nobody listens any more, there is nobody to tell.
    drop(tell(sync, &Progress::Failed(failure)));
    i32::from(code)
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
