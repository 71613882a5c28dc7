//! Ends the processes of a container whose monitor was killed.

use std::os::fd::{AsFd as _, BorrowedFd};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::{Container, Error};
use crate::monitor::{ExitRecord, Run, cgroup_name, now, pod_cgroup};
use crate::net::lease::Owner;
use crate::net::record::Networks;
use crate::runtime::cgroup;
use crate::storage::Store;
use crate::sys::process::{open_pidfd, signal_pidfd};
use crate::sys::process_id::ProcessId;

/// Kills the program of a container whose monitor was killed, and records how it ended.
pub(super) fn kill_orphan(container: &Container) -> Result<(), Error> {
    let Some(init) = &container.state.init else { return Ok(()) };
    kill(init)?;
    discard_cgroup(container)?;
    let record = ExitRecord {
        code: 137,
        at: now(),
        error: "monitor killed".to_owned(),
        stopped_by_user: true,
        ..ExitRecord::default()
    };
    Ok(container.directory.write_exit(&Run(container.state.run), &record)?)
}

/// Kills a process and waits for its end. Does nothing if another process has its PID by now.
pub(super) fn kill(process: &ProcessId) -> Result<(), Error> {
    if let Ok(pidfd) = open_pidfd(process.pid)
        // Checked after the pidfd was opened: from here on the pidfd cannot stand for another process.
        && process.is_alive()
    {
        signal_pidfd(pidfd.as_fd(), libc::SIGKILL).map_err(Error::step("kill the container's program"))?;
        wait_for_end(pidfd.as_fd())?;
    }
    Ok(())
}

/// Kills the processes in the cgroup of a container whose monitor was killed, and removes the cgroup. A monitor that
/// was killed during the start has recorded neither the cgroup nor the init that may be in it.
pub(super) fn discard_cgroup(container: &Container) -> Result<(), Error> {
    if container.state.run == 0 {
        return Ok(());
    }
    Ok(cgroup::discard(container.state.cgroup.as_deref(), &cgroup_name(&container.config.id))?)
}

/// Removes the cgroup of a pod, whose members have been removed.
pub(super) fn discard_pod_cgroup(pod: &Container) {
    let path = pod.state.cgroup.as_deref().and_then(|path| pod_cgroup(path, &pod.config.id));
    if let Some(path) = path
        && let Ok(Some(group)) = cgroup::Own::of_pod(path)
    {
        group.remove();
    }
}

/// Gives back the addresses of a container whose monitor was killed. What cannot be given back now is swept when its
/// network is used again: it keeps nobody from removing a container.
pub(super) fn discard_leases(store: &Store, container: &Container) {
    let (networks, owner) = (Networks::of(store.root()), Owner::container(&container.config.id));
    for name in container.config.network.endpoints().iter().filter_map(|endpoint| endpoint.network.as_ref()) {
        if let Ok(Some(network)) = networks.lock(name) {
            drop(network.remove_leases_of(&owner));
        }
    }
}

/// Waits until the process of a pidfd has ended: only then the pidfd is readable.
pub(super) fn wait_for_end(pidfd: BorrowedFd<'_>) -> Result<(), Error> {
    wait(pidfd, None)
}

/// Waits until the process of a pidfd has ended, or for so many milliseconds.
pub(super) fn wait_for_end_at_most(pidfd: BorrowedFd<'_>, milliseconds: u16) -> Result<(), Error> {
    wait(pidfd, Some(Timespec { tv_sec: 0, tv_nsec: i64::from(milliseconds) * 1_000_000 }))
}

fn wait(pidfd: BorrowedFd<'_>, time: Option<Timespec>) -> Result<(), Error> {
    loop {
        match poll(&mut [PollFd::from_borrowed_fd(pidfd, PollFlags::IN)], time.as_ref()) {
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(Error::step("wait for a process")(error.into())),
            Ok(_) => return Ok(()),
        }
    }
}
