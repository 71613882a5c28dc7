//! Another process in a running container: exec.
//!
//! ```text
//! monitor ── fork, into the container's cgroup ─→ joiner   not dumpable; all namespaces of init at once, by its pidfd
//!    │ ←──────────── pidfd ──────────────────────────┘ └── clone, as the monitor's child ─→ stub ─→ the program
//! ```

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use nix::sched::CloneFlags;
use oci_spec::runtime::Process;
use rustix::fs::{Mode, OFlags};

use super::create::pid_of;
use super::program::{self, Program, Terminal};
use super::sync::{Step as _, hear, tell};
use super::{Error, Failure, FailureKind, Progress};
use crate::sys::process::{self, Child, CloneOptions, fork};
use crate::sys::{namespace, prctl, signal, socket, tty};

/// What is to run where.
#[derive(Debug)]
pub struct Join<'a> {
    /// The container's init.
    pub init: BorrowedFd<'a>,
    /// Whether the container has a network namespace of its own.
    pub own_network: bool,
    /// The container's cgroup.
    pub cgroup: Option<BorrowedFd<'a>>,
    /// The program, with its user as `user.username`.
    pub process: &'a Process,
    /// Further groups by name or number.
    pub groups: &'a [String],
    /// Its descriptors 0, 1 and 2, unless it gets a terminal.
    pub stdio: [BorrowedFd<'a>; 3],
    /// Confine it by the default filter, as the container itself is.
    pub seccomp: bool,
    /// The container has one id.
    pub single_id: bool,
}

/// A process that was made in the container, on its way to become the program.
#[derive(Debug)]
pub struct Joined {
    /// The process, a child of this one.
    pub process: Child,
    sync: OwnedFd,
    program: String,
}

/// Makes a process in the container's namespaces, which goes on to become the program.
///
/// Fails with the step; nothing is left behind then.
pub fn join(join: &Join<'_>) -> Result<Joined, Error> {
    let (sync, theirs) = socket::pair().map_err(Error::step("make a socket pair"))?;
    let options = CloneOptions { flags: None, cgroup: join.cgroup };
    let joiner = fork(&options, || match joiner(join, sync.as_fd(), &theirs) {
        Ok(()) => 0,
        Err(failure) => {
            // If nobody listens any more, there is nobody to tell.
            drop(tell(theirs.as_fd(), &Progress::Failed(failure)));
            1
        }
    })
    .map_err(Error::step("fork"))?;
    drop(theirs);
    let first = hear(sync.as_fd());
    let ended = joiner.wait();
    let program = join.process.args().iter().flatten().next().cloned().unwrap_or_default();
    match first.map_err(Error::step("hear from the joining process"))? {
        Progress::Process(pidfd) => {
            let pid = pid_of(pidfd.as_fd()).map_err(Error::step("read the new process' pid"))?;
            Ok(Joined { process: Child { pid, pidfd }, sync, program })
        }
        Progress::Failed(failure) => Err(Error::Failed(failure)),
        _ => {
            drop(ended);
            Err(Error::Died("the joining process"))
        }
    }
}

impl Joined {
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
}

fn joiner(join: &Join<'_>, monitors_end: BorrowedFd<'_>, sync: &OwnedFd) -> Result<(), Failure> {
    // Before setns: from then on the container's processes can see this one (CVE-2016-9962).
    prctl::set_dumpable(false).step("protect the joining process")?;
    prctl::set_name("rc: join").step("name the joining process")?;
    signal::unblock_all().step("unblock signals")?;
    let mut kinds = CloneFlags::CLONE_NEWUSER
        | CloneFlags::CLONE_NEWNS
        | CloneFlags::CLONE_NEWPID
        | CloneFlags::CLONE_NEWIPC
        | CloneFlags::CLONE_NEWUTS
        | CloneFlags::CLONE_NEWCGROUP;
    kinds.set(CloneFlags::CLONE_NEWNET, join.own_network);
    namespace::join(join.init, kinds).step("join the container's namespaces")?;
    let options = CloneOptions { flags: Some(CloneFlags::CLONE_PARENT), cgroup: None };
    let child = fork(&options, || {
        drop(process::close(monitors_end));
        run(join, sync)
    })
    .step("fork in the container")?;
    tell(sync.as_fd(), &Progress::Process(child.pidfd)).step("pass the new process' descriptor on")
}

fn run(join: &Join<'_>, sync: &OwnedFd) -> i32 {
    let Err(failure) = become_program(join, sync);
    let code = match failure.kind {
        FailureKind::Setup | FailureKind::NoOverlay => 125,
        FailureKind::CannotRun => 126,
        FailureKind::NotFound => 127,
    };
    drop(tell(sync.as_fd(), &Progress::Failed(failure)));
    code
}

fn become_program(join: &Join<'_>, sync: &OwnedFd) -> Result<std::convert::Infallible, Failure> {
    let wants_terminal = join.process.terminal().unwrap_or(false);
    let terminal = if wants_terminal {
        Terminal::Slave(open_terminal(sync.as_fd())?)
    } else {
        Terminal::None(join.stdio, [false; 3])
    };
    program::run(&Program {
        process: join.process,
        terminal,
        groups: join.groups,
        init: false,
        seccomp: join.seccomp,
        die_with_parent: true,
        single_id: join.single_id,
        sync: sync.as_fd(),
    })
}

/// `DEVPTS_SUPER_MAGIC` of linux/magic.h.
const DEVPTS: i64 = 0x1cd1;

/// Opens a terminal in the container's devpts, which must be one: the container could have put something else there.
fn open_terminal(sync: BorrowedFd<'_>) -> Result<OwnedFd, Failure> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let folder = rustix::fs::open(c"/dev/pts", flags, Mode::empty()).step_on("open", "/dev/pts")?;
    if rustix::fs::fstatfs(&folder).step_on("look at", "/dev/pts")?.f_type != DEVPTS {
        return Err(Failure::reason("`/dev/pts` in the container is not devpts, so there is no terminal to be had"));
    }
    let (master, slave) = tty::open_pair(folder.as_fd()).step("open a terminal")?;
    tell(sync, &Progress::Terminal(master)).step("pass the terminal on")?;
    Ok(slave)
}
