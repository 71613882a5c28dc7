//! Ends the processes of a container whose monitor was killed.

use std::os::fd::{AsFd as _, BorrowedFd};

use rustix::event::{PollFd, PollFlags, poll};

use super::{Container, Error};
use crate::monitor::{ContainerDir, ExitRecord, Run, cgroup_name, now, pod_cgroup};
use crate::net::lease::{Lease, Owner};
use crate::net::record::Networks;
use crate::plan::ContainerConfig;
use crate::runtime::cgroup;
use crate::storage::Store;
use crate::sys::process::{open_pidfd, signal_pidfd};
use crate::sys::process_id::ProcessId;
use crate::types::{ContainerId, Name};

/// Kills the program of a container whose monitor was killed, and records how it ended.
pub(super) fn kill_orphan(container: &Container) -> Result<(), Error> {
    let Some(init) = &container.state.init else { return Ok(()) };
    kill(init)?;
    discard_cgroup(container)?;
    let record = ExitRecord {
        code: 137,
        at: now(),
        error: super::KILLED.to_owned(),
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
    let path = container.state.cgroup.clone().or_else(|| wanted_cgroup(&container.config));
    Ok(cgroup::discard(path.as_deref(), &cgroup_name(&container.config.id))?)
}

/// Kills and removes what is in the cgroup of a step that has failed: if its monitor was killed, nothing else names it.
pub(crate) fn discard_cgroup_of_step(directory: &ContainerDir, id: &ContainerId) {
    let recorded = directory.state().ok().and_then(|state| state.cgroup);
    let path = recorded.or_else(|| directory.config().ok().and_then(|config| wanted_cgroup(&config)));
    // The step's own failure is the one to report.
    drop(cgroup::discard(path.as_deref(), &cgroup_name(id)));
}

/// The path of a container's cgroup beneath the one that the user has named, if it was not recorded yet.
fn wanted_cgroup(config: &ContainerConfig) -> Option<String> {
    // A slice has scopes, which end with their last process.
    let parent = config.cgroup.parent.as_deref().filter(|parent| parent.starts_with('/'))?;
    Some(format!("{}/{}", parent.trim_end_matches('/'), cgroup_name(&config.id)))
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
    discard_leases_in(store, &container.config.id, container.config.network.bridges().map(|(name, _)| name));
}

/// Gives back the addresses that a killed monitor has left, also in networks that the container is not to be in any
/// more: it was disconnected since, or was being connected. They would count as taken as soon as the container has a
/// monitor again. The monitor of a pod keeps those of its own networks.
pub(super) fn discard_left_leases(store: &Store, config: &ContainerConfig) {
    let kept: Vec<Name> = match config.sandbox {
        Some(_) => config.network.bridges().map(|(name, _)| name).collect(),
        None => Vec::new(),
    };
    // A start does not fail for an address that nobody needs.
    let (networks, owner) = (Networks::of(store.root()), Owner::container(&config.id));
    let is_left = |name: &Name| {
        let has_lease = |leases: Vec<Lease>| leases.iter().any(|lease| lease.owner == owner);
        !kept.contains(name) && networks.leases(name).is_ok_and(has_lease)
    };
    discard_leases_in(store, &config.id, networks.names().unwrap_or_default().into_iter().filter(is_left));
}

fn discard_leases_in(store: &Store, id: &ContainerId, names: impl Iterator<Item = Name>) {
    let (networks, owner) = (Networks::of(store.root()), Owner::container(id));
    for name in names {
        if let Ok(Some(network)) = networks.lock(&name) {
            drop(network.remove_leases_of(&owner));
        }
    }
}

/// Waits until the process of a pidfd has ended: only then the pidfd is readable.
pub(super) fn wait_for_end(pidfd: BorrowedFd<'_>) -> Result<(), Error> {
    loop {
        match poll(&mut [PollFd::from_borrowed_fd(pidfd, PollFlags::IN)], None) {
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(Error::step("wait for a process")(error.into())),
            Ok(_) => return Ok(()),
        }
    }
}
