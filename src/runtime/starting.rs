//! A process of a container that is setting itself up, as the monitor sees it: how it is created, and the conversation
//! with it until its program runs. `sync` has the messages.
//!
//! ```text
//! monitor ── fork ─→ intermediate process   enters the namespaces, clones the monitor's child, passes its pidfd on
//!    └── sync socket ──→ the process ─→ stub ─→ the program
//! ```

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use oci_spec::runtime::Process;

use super::sync::{receive, send};
use super::{Error, Failure, Progress};
use crate::sys::process::{self, Child, CloneOptions, fork, fork_sharing};
use crate::sys::socket;

/// A process that exists and is setting itself up.
#[derive(Debug)]
pub(crate) struct StartingProcess {
    /// The process, a child of this one.
    pub(crate) process: Child,
    /// The conversation with it.
    pub(crate) conversation: Conversation,
}

/// The monitor's side of the sync socket. It never waits.
#[derive(Debug)]
pub(crate) struct Conversation {
    sync: OwnedFd,
    program: String,
}

/// The two ends of the sync socket, as an intermediate process has them.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sync<'a> {
    /// The monitor's end, which the new process must close.
    pub(super) monitor: BorrowedFd<'a>,
    /// The new process' own end.
    pub(super) own: &'a OwnedFd,
}

/// A forked process in which `work` creates the container's process, as the monitor's child, and says so
/// ([`Progress::Process`]).
#[derive(Debug)]
pub(super) struct Intermediate {
    child: Child,
    conversation: Conversation,
    name: &'static str,
}

impl Intermediate {
    /// Forks it; `name` is its name in errors, `process` describes the program.
    pub(super) fn fork(
        name: &'static str,
        options: &CloneOptions<'_>,
        process: Option<&Process>,
        work: impl FnOnce(Sync<'_>) -> Result<(), Failure>,
    ) -> Result<Self, Error> {
        let (sync, theirs) = socket::pair().map_err(Error::step("create a socket pair"))?;
        let child = fork(options, || run(work, Sync { monitor: sync.as_fd(), own: &theirs }));
        Self::new(name, child, sync, process)
    }

    /// Like [`fork`](Self::fork), in a child that shares this process' memory: it has ended when this returns.
    pub(super) fn fork_sharing(
        name: &'static str,
        process: Option<&Process>,
        work: impl FnOnce(Sync<'_>) -> Result<(), Failure>,
    ) -> Result<Self, Error> {
        let (sync, theirs) = socket::pair().map_err(Error::step("create a socket pair"))?;
        let child = fork_sharing(|| run(work, Sync { monitor: sync.as_fd(), own: &theirs }));
        Self::new(name, child, sync, process)
    }

    fn new(
        name: &'static str,
        child: io::Result<Child>,
        sync: OwnedFd,
        process: Option<&Process>,
    ) -> Result<Self, Error> {
        let child = child.map_err(Error::step("fork"))?;
        let program = process.and_then(|process| process.args().as_ref()?.first().cloned()).unwrap_or_default();
        Ok(Self { child, conversation: Conversation { sync, program }, name })
    }

    /// Waits for the process that it creates. Only for an intermediate process that the container cannot slow down:
    /// one that is in no cgroup of the container, and enters none of its namespaces.
    ///
    /// Fails with the error that the intermediate process reported; nothing is left behind then.
    pub(super) fn finish(self) -> Result<StartingProcess, Error> {
        let first = receive(self.conversation.sync());
        drop(self.child.wait());
        match first.map_err(Error::step("receive a message from the intermediate process"))? {
            Progress::Process(pidfd) => self.conversation.with(pidfd),
            Progress::Failed(failure) => Err(Error::Failed(failure)),
            _ => Err(Error::Died(self.name)),
        }
    }

    /// The intermediate process, which the caller waits for, and the conversation in which it reports the process that
    /// it creates.
    pub(super) fn into_parts(self) -> Result<(Child, Conversation), Error> {
        self.conversation.never_waits()?;
        Ok((self.child, self.conversation))
    }
}

/// Does the work of an intermediate process, and returns its exit code.
fn run(work: impl FnOnce(Sync<'_>) -> Result<(), Failure>, sync: Sync<'_>) -> i32 {
    match work(sync) {
        Ok(()) => 0,
        Err(failure) => report(failure, sync.own.as_fd()),
    }
}

impl Conversation {
    /// Readable when a message has arrived.
    pub(crate) fn sync(&self) -> BorrowedFd<'_> {
        self.sync.as_fd()
    }

    /// The next message; `None` if none has arrived yet.
    ///
    /// Another process may have a copy of an ended process' end of the socket, so that [`Progress::Closed`] never
    /// comes: a caller must watch the process itself as well.
    pub(crate) fn progress(&self) -> Result<Option<Progress>, Error> {
        match receive(self.sync()) {
            Ok(Progress::Refused(errno)) => Ok(Some(Progress::Failed(Failure::program(&self.program, errno)))),
            Ok(other) => Ok(Some(other)),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
            Err(error) => Err(Error::step("receive a message from the new process")(error)),
        }
    }

    /// Tells init, which waits for it, that the network is up.
    pub(crate) fn network_is_up(&self) -> Result<(), Error> {
        send(self.sync(), &Progress::NetworkUp).map_err(Error::step("send a message to init"))
    }

    /// Continues with the process that the intermediate process has created.
    pub(crate) fn with(self, pidfd: OwnedFd) -> Result<StartingProcess, Error> {
        self.never_waits()?;
        Ok(StartingProcess { process: child_of(pidfd)?, conversation: self })
    }

    fn never_waits(&self) -> Result<(), Error> {
        rustix::io::ioctl_fionbio(&self.sync, true).map_err(|error| Error::step("set up a socket")(error.into()))
    }
}

/// The child of this process that an intermediate process has created.
pub(crate) fn child_of(pidfd: OwnedFd) -> Result<Child, Error> {
    let pid = process::pid_of(pidfd.as_fd()).map_err(Error::step("read the new process' pid"))?;
    Ok(Child { pid, pidfd })
}

/// Reports to the monitor, from the process that could not start, and returns this process' exit code.
pub(super) fn report(failure: Failure, sync: BorrowedFd<'_>) -> i32 {
    let code = failure.report.kind.shell_code().unwrap_or(125);
    // Fails only if the monitor has died.
    drop(send(sync, &Progress::Failed(failure)));
    i32::from(code)
}
