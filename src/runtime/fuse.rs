//! The second storage driver: fuse-overlayfs, if the kernel or the filesystem refuses overlay (NFS, some encrypted home
//! directories, kernels before 5.11).
//!
//! ```text
//! monitor ── fork ─→ stage     enters the root namespace and a mount namespace of its own
//!    │                 └── clone, as the monitor's child ─→ fuse-overlayfs -f, which mounts on `merged` there
//!    │ ←── the mount, detached, and the helper's pidfd ── stage, which then exits
//! ```
//!
//! The mount belongs to the root namespace, so that the container, whose namespace is a child of it, may use it
//! (fuse(4), `allow_other`).

use std::ffi::CString;
use std::fmt::Write as _;
use std::os::fd::{AsFd as _, AsRawFd as _, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use nix::sched::CloneFlags;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{Mode, OFlags};

use super::starting::report;
use super::sync::{Step as _, receive, send};
use super::{Error, Failure, Progress, root_directory};
use crate::sys::process::{self, Child, CloneOptions, fork};
use crate::sys::{fs, mount, namespace, prctl, signal, socket};
use crate::types::ReportKind;
use crate::userns::UserNamespace;

/// How long fuse-overlayfs may take to mount.
const PATIENCE: Timespec = Timespec { tv_sec: 10, tv_nsec: 0 };

/// A root filesystem served by fuse-overlayfs. Dropping it ends the helper.
#[derive(Debug)]
pub(crate) struct FuseOverlay {
    helper: Child,
    mount: Option<OwnedFd>,
}

impl FuseOverlay {
    /// Starts `program` on the layers (lowest first) and the container's directory, and waits until it has mounted.
    pub(crate) fn start(
        program: &Path,
        lowers: &[PathBuf],
        directory: &Path,
        home: &UserNamespace,
    ) -> Result<Self, Error> {
        let (sync, theirs) = socket::pair().map_err(Error::step("create a socket pair"))?;
        let stage =
            fork(&CloneOptions::default(), || match stage(program, lowers, directory, home, sync.as_fd(), &theirs) {
                Ok(()) => 0,
                Err(failure) => report(failure, theirs.as_fd()),
            })
            .map_err(Error::step("fork"))?;
        drop(theirs);
        let mut helper = None;
        let mount = loop {
            match receive(sync.as_fd()).map_err(Error::step("receive a message from fuse-overlayfs' stage"))? {
                Progress::Process(pidfd) => {
                    let pid = process::pid_of(pidfd.as_fd()).map_err(Error::step("read a pid"))?;
                    helper = Some(Child { pid, pidfd });
                }
                Progress::Root(mount) => break Ok(mount),
                Progress::Failed(failure) => break Err(Error::Failed(failure)),
                _ => break Err(Error::Died("fuse-overlayfs' stage")),
            }
        };
        drop(stage.wait());
        match (mount, helper) {
            (Ok(mount), Some(helper)) => Ok(Self { helper, mount: Some(mount) }),
            (Ok(_), None) => Err(Error::Died("fuse-overlayfs")),
            (Err(error), helper) => {
                if let Some(helper) = helper {
                    end(&helper);
                }
                Err(error)
            }
        }
    }

    /// The mount; `None` after the first call.
    pub(crate) fn take_mount(&mut self) -> Option<OwnedFd> {
        self.mount.take()
    }
}

impl Drop for FuseOverlay {
    fn drop(&mut self) {
        end(&self.helper);
    }
}

/// Loses nothing: what the container wrote is in the upper directory as soon as its write has returned.
fn end(helper: &Child) {
    drop(helper.signal(libc::SIGKILL));
    drop(helper.wait());
}

fn stage(
    program: &Path,
    lowers: &[PathBuf],
    directory: &Path,
    home: &UserNamespace,
    monitors_end: BorrowedFd<'_>,
    sync: &OwnedFd,
) -> Result<(), Failure> {
    prctl::set_name("rc: fuse").step("name the stage process")?;
    signal::unblock_all().step("unblock signals")?;
    home.enter().map_err(Failure::of)?;
    namespace::unshare(CloneFlags::CLONE_NEWNS).step("create a mount namespace")?;
    mount::isolate_propagation().step("isolate mounts")?;
    let merged = directory.join("merged");
    root_directory::adopt(lowers, &directory.join("upper"))?;
    let layers = lowers.iter().rev().map(|path| reference(path)).collect::<Result<Vec<_>, _>>()?;
    let (upper, work) = (reference(&directory.join("upper"))?, reference(&directory.join("work"))?);
    let mountinfo = fs::open("/proc/self/mountinfo").map_err(Failure::of)?;
    let options = CloneOptions { flags: Some(CloneFlags::CLONE_PARENT), cgroup: None };
    let helper = fork(&options, || {
        drop(process::close(monitors_end));
        drop(process::close(sync.as_fd()));
        execute(program, &layers, &upper, &work, &merged)
    })
    .step("fork")?;
    let pidfd = rustix::io::fcntl_dupfd_cloexec(&helper.pidfd, 0).step("copy a descriptor")?;
    send(sync.as_fd(), &Progress::Process(pidfd)).step("send the helper's descriptor to the monitor")?;
    // A change of the mount table is an exceptional condition on mountinfo (proc_pid_mountinfo(5)).
    let mut watched = [PollFd::new(&mountinfo, PollFlags::PRI), PollFd::new(&helper.pidfd, PollFlags::IN)];
    if poll(&mut watched, Some(&PATIENCE)).step("wait for fuse-overlayfs")? == 0 || !watched[1].revents().is_empty() {
        return Err(Failure::reason(
            ReportKind::Unavailable,
            format!("`{}` could not mount the root filesystem", program.display()),
        ));
    }
    let root = reference(&merged)?;
    let tree = mount::clone_tree(root.as_fd(), false).step_on("copy the mount of", &merged)?;
    send(sync.as_fd(), &Progress::Root(tree)).step("send the mount to the monitor")
}

fn reference(path: &Path) -> Result<OwnedFd, Failure> {
    rustix::fs::open(path, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty()).step_on("open", path)
}

/// Becomes fuse-overlayfs; returns the exit code if that fails. The layers are named by descriptors, whose paths
/// contain no character with a meaning in an option list.
fn execute(program: &Path, layers: &[OwnedFd], upper: &OwnedFd, work: &OwnedFd, merged: &Path) -> i32 {
    let ready = || -> std::io::Result<()> {
        prctl::die_with_parent()?;
        // It warns about mount options that it leaves to the kernel; nobody reads that.
        let null = rustix::fs::open(c"/dev/null", OFlags::RDWR | OFlags::CLOEXEC, Mode::empty())?;
        for number in 0..3 {
            process::place(null.as_fd(), number)?;
        }
        for fd in layers.iter().chain([upper, work]) {
            rustix::io::fcntl_setfd(fd, rustix::io::FdFlags::empty())?;
        }
        Ok(())
    };
    if ready().is_err() {
        return 125;
    }
    let mut options = String::from("lowerdir=");
    for (index, layer) in layers.iter().enumerate() {
        let separator = if index == 0 { "" } else { ":" };
        write!(options, "{separator}/proc/self/fd/{}", layer.as_raw_fd()).unwrap_or_default();
    }
    write!(options, ",upperdir=/proc/self/fd/{},workdir=/proc/self/fd/{}", upper.as_raw_fd(), work.as_raw_fd())
        .unwrap_or_default();
    let words = [
        program.as_os_str().as_encoded_bytes().to_vec(),
        b"-f".to_vec(),
        b"-o".to_vec(),
        options.into_bytes(),
        merged.as_os_str().as_encoded_bytes().to_vec(),
    ];
    let Ok(words) = words.into_iter().map(CString::new).collect::<Result<Vec<_>, _>>() else { return 125 };
    let environment: [CString; 0] = [];
    // Returns only if it fails.
    nix::unistd::execve(&words[0], &words, &environment).map_or(127, |never| match never {})
}
