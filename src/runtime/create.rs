//! The parent's side of a start: stage, init, and the conversation with them.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use nix::sched::CloneFlags;
use oci_spec::runtime::{LinuxNamespaceType, Spec};

use super::sync::{Step as _, hear, tell};
use super::{Error, Failure, Launch, Progress, init};
use crate::sys::fs;
use crate::sys::process::{Child, CloneOptions, fork};
use crate::sys::{prctl, process, signal, socket};
use crate::userns::UserNamespace;

/// An init that has been made and is setting itself up.
#[derive(Debug)]
pub struct Created {
    /// PID 1 of the container, a child of this process.
    pub init: Child,
    sync: OwnedFd,
    program: String,
}

/// Makes the container's namespaces and its init, which begins to set itself up at once.
///
/// The caller holds `home`, has one thread, and is the reaper of init. On failure nothing is left behind.
pub fn create(launch: &Launch<'_>, home: &UserNamespace, cgroup: Option<BorrowedFd<'_>>) -> Result<Created, Error> {
    let (sync, theirs) = socket::pair().map_err(Error::step("make a socket pair"))?;
    let options = CloneOptions::default();
    let stage = fork(&options, || match stage(launch, home, cgroup, sync.as_fd(), &theirs) {
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
    let ended = stage.wait();
    let program = launch.spec.process().as_ref().and_then(|p| p.args().as_ref()?.first().cloned()).unwrap_or_default();
    match first.map_err(Error::step("hear from the stage process"))? {
        Progress::Process(pidfd) => {
            let pid = pid_of(pidfd.as_fd()).map_err(Error::step("read init's pid"))?;
            Ok(Created { init: Child { pid, pidfd }, sync, program })
        }
        Progress::Failed(failure) => Err(Error::Failed(failure)),
        _ => {
            drop(ended);
            Err(Error::Died("stage"))
        }
    }
}

impl Created {
    /// Waits for the next word of init.
    pub fn progress(&self) -> Result<Progress, Error> {
        match hear(self.sync.as_fd()).map_err(Error::step("hear from init"))? {
            Progress::Refused(errno) => Ok(Progress::Failed(Failure::program(&self.program, errno))),
            other => Ok(other),
        }
    }

    /// Lets init go on, after it wanted the network.
    pub fn network_is_up(&self) -> Result<(), Error> {
        tell(self.sync.as_fd(), &Progress::NetworkUp).map_err(Error::step("speak to init"))
    }
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

/// Runs in the stage process: enters H, makes init there as the monitor's own child, and writes its maps.
fn stage(
    launch: &Launch<'_>,
    home: &UserNamespace,
    cgroup: Option<BorrowedFd<'_>>,
    monitors_end: BorrowedFd<'_>,
    sync: &OwnedFd,
) -> Result<(), Failure> {
    prctl::set_name("rc: stage").step("name the stage process")?;
    signal::unblock_all().step("unblock signals")?;
    home.enter().map_err(|error| Failure::reason(error.to_string()))?;
    // Init's own channel from here: it may not read from `sync` before its maps are there, and only stage knows when.
    let (mapped, map) =
        nix::unistd::pipe2(nix::fcntl::OFlag::O_CLOEXEC).map_err(io::Error::from).step("make a pipe")?;
    let options = CloneOptions { flags: Some(namespaces(launch.spec) | CloneFlags::CLONE_PARENT), cgroup };
    let child = fork(&options, || {
        drop(process::close(monitors_end));
        init::run(launch, &mapped, sync)
    })
    .step("make the container's namespaces")?;
    let (user, group) = shown_ids(launch.spec);
    let (uids, gids) = launch.ids.nested(user, group);
    let written = fs::write(format!("/proc/{}/uid_map", child.pid), uids)
        .and_then(|()| fs::write(format!("/proc/{}/gid_map", child.pid), gids));
    if let Err(error) = written {
        // Init sees the end of the pipe and leaves.
        drop(child.signal(libc::SIGKILL));
        return Err(Failure::reason(error.to_string()));
    }
    // First the descriptor, then the word to init: once it goes on, what it says on `sync` may overtake us.
    tell(sync.as_fd(), &Progress::Process(child.pidfd)).step("pass init's descriptor on")?;
    rustix::io::write(&map, b"M").step("tell init that it is mapped").map(drop)
}

/// With one id, the id that it is shown as: the number in `user`, else 0.
fn shown_ids(spec: &Spec) -> (u32, u32) {
    let user = spec.process().as_ref().and_then(|process| process.user().username().clone()).unwrap_or_default();
    let (user, group) = user.split_once(':').unwrap_or((&user, ""));
    (user.parse().unwrap_or(0), group.parse().unwrap_or(0))
}

/// The namespaces that init is born into. The cgroup namespace is unshared by init itself, after it has been put into its
/// cgroup: with the others its root would be the monitor's (design.md, "Limits").
fn namespaces(spec: &Spec) -> CloneFlags {
    let mut flags = CloneFlags::CLONE_NEWUSER;
    for namespace in spec.linux().iter().flat_map(|linux| linux.namespaces().iter().flatten()) {
        flags |= match namespace.typ() {
            LinuxNamespaceType::Mount => CloneFlags::CLONE_NEWNS,
            LinuxNamespaceType::Uts => CloneFlags::CLONE_NEWUTS,
            LinuxNamespaceType::Ipc => CloneFlags::CLONE_NEWIPC,
            LinuxNamespaceType::Pid => CloneFlags::CLONE_NEWPID,
            LinuxNamespaceType::Network => CloneFlags::CLONE_NEWNET,
            LinuxNamespaceType::User | LinuxNamespaceType::Cgroup | LinuxNamespaceType::Time => CloneFlags::empty(),
        };
    }
    flags
}

pub(super) fn has_namespace(spec: &Spec, kind: LinuxNamespaceType) -> bool {
    spec.linux().iter().flat_map(|l| l.namespaces().iter().flatten()).any(|namespace| namespace.typ() == kind)
}
