//! Creates init: the stage process enters the root namespace, clones init there and writes its maps. It shares the
//! monitor's memory, and the monitor sleeps meanwhile.

use std::io;
use std::os::fd::{AsFd as _, BorrowedFd};

use nix::sched::CloneFlags;

use super::starting::{Intermediate, StartingProcess, Sync};
use super::sync::{Step as _, send};
use super::{Error, Failure, Launch, Progress, init, keyring, namespaces, outside, shared, shown};
use crate::sys::process::{CloneOptions, fork};
use crate::sys::{fs, namespace, prctl, process, signal};
use crate::userns::UserNamespace;

/// Creates the container's namespaces and its init, which starts to set itself up at once.
///
/// The caller has one thread, holds `home`, and reaps init. On failure nothing is left behind.
pub(crate) fn create_init(
    launch: &Launch<'_>,
    cgroup: Option<BorrowedFd<'_>>,
    home: &UserNamespace,
) -> Result<StartingProcess, Error> {
    keyring::prepare();
    let process = launch.spec.process().as_ref();
    Intermediate::fork_sharing("stage", process, |sync| stage(launch, cgroup, home, sync))?.finish()
}

/// Runs in the stage process: enters the root namespace, creates init there as the monitor's own child, and writes its
/// maps.
fn stage(
    launch: &Launch<'_>,
    cgroup: Option<BorrowedFd<'_>>,
    home: &UserNamespace,
    sync: Sync<'_>,
) -> Result<(), Failure> {
    prctl::set_name("rc: stage").step("name the stage process")?;
    signal::unblock_all().step("unblock signals")?;
    // Otherwise init would wait forever for a monitor that was killed.
    drop(process::close(sync.monitor));
    namespace::join(home.fd(), CloneFlags::CLONE_NEWUSER).step("enter the root namespace")?;
    let maps = namespaces::maps(launch.spec);
    let joined = shared::kinds(&launch.shared);
    let outside = outside::prepare(launch, &maps)?;
    let has_own_ids = !joined.contains(CloneFlags::CLONE_NEWUSER);
    let (user, group) = if has_own_ids { shown::ids(launch)? } else { (0, 0) };
    shared::join(&launch.shared)?;
    // Init's own channel from here on: it must not read `sync` before its maps are written, and only stage knows when
    // they are.
    let (mapped, map) =
        nix::unistd::pipe2(nix::fcntl::OFlag::O_CLOEXEC).map_err(io::Error::from).step("create a pipe")?;
    let options = CloneOptions {
        flags: Some(namespaces::at_birth(launch.spec).difference(joined) | CloneFlags::CLONE_PARENT),
        cgroup,
    };
    let child = fork(&options, || {
        // Otherwise init would keep its own pipe open, and wait forever for a stage that was killed.
        drop(process::close(map.as_fd()));
        init::run(launch, &outside, &mapped, sync.own)
    })
    .step("create the container's namespaces")?;
    let (uids, gids) = launch.ids.nested(&maps, user, group);
    let write = || {
        fs::write(format!("/proc/{}/uid_map", child.pid), uids)?;
        fs::write(format!("/proc/{}/gid_map", child.pid), gids)
    };
    if let Err(error) = if has_own_ids { write() } else { Ok(()) } {
        // Init reads the end of the pipe and exits.
        drop(child.signal(libc::SIGKILL));
        return Err(Failure::of(error));
    }
    // The descriptor first, then the signal to init: once init goes on, its messages on `sync` could overtake ours.
    send(sync.own.as_fd(), &Progress::Process(child.pidfd)).step("send init's descriptor to the monitor")?;
    rustix::io::write(&map, b"M").step("tell init that it is mapped").map(drop)
}
