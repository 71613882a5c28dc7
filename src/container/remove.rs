//! Removing containers. The name goes first, then the directory goes to `trash/` under its id, then it is emptied: a
//! command that is killed in between leaves the rest to the next command. Nothing is written before something is
//! unlinked, so that removing works on a full disk.

use std::os::fd::{AsFd as _, OwnedFd};
use std::path::Path;

use rustix::fs::{FlockOperation, Mode, OFlags, flock};

use super::sweep::sweep_store;
use super::{Container, Error, control};
use crate::monitor::{ContainerDir, ProcessId, Status};
use crate::plan::{ContainerConfig, MountKind};
use crate::runtime::cgroup;
use crate::storage::{Store, remove_tree};
use crate::sys::fs;
use crate::sys::lock::ProcessLock;
use crate::sys::process::{open_pidfd, signal_pidfd};
use crate::types::{ContainerId, Name};
use crate::userns::{self, IdMap, UserNamespace};

/// How a container is removed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Removal {
    /// Also when it runs: it is killed.
    pub(crate) force: bool,
    /// Seconds between the stop signal and SIGKILL with `force`.
    pub(crate) timeout: Option<u32>,
    /// With its anonymous volumes.
    pub(crate) volumes: bool,
}

/// Removes a container.
///
/// Fails if it runs and `force` is not set; a container that ends and removes itself meanwhile is removed.
pub(crate) fn remove(store: &Store, container: &Container, removal: &Removal, runtime: &Path) -> Result<(), Error> {
    if container.is_running() {
        if !removal.force {
            return Err(Error::State {
                action: "remove",
                name: container.config.name.to_string(),
                status: container.status,
            });
        }
        end(container, removal.timeout)?;
    }
    let Some(lock) = take_lock(&container.directory, &container.config.name)? else { return Ok(()) };
    discard_group(container)?;
    let volumes = removal.volumes || container.config.auto_remove;
    // First: were this process killed in between, nothing would say whose volumes they were.
    let has_volumes = volumes && discard_volumes(store, &container.config);
    let busy = unlink(store, &container.config)?;
    drop(lock);
    if has_volumes {
        sweep_store(store, runtime)?;
    }
    empty_trash(store, &container.config.id, runtime)?;
    drop(busy);
    Ok(())
}

/// Moves the anonymous volumes of a container to the trash; what cannot be removed is left to `volume prune`. Tells
/// whether there is anything to sweep now.
pub(super) fn discard_volumes(store: &Store, config: &ContainerConfig) -> bool {
    let mut any = false;
    for mount in &config.mounts {
        if let MountKind::Volume { name, anonymous: true } = &mount.kind {
            any |= store.remove_volume(name).unwrap_or(false);
        }
    }
    any
}

/// Takes the lock of a container whose monitor has ended or is about to; `None` if the container has gone.
///
/// Fails with `Busy` if somebody has started it again meanwhile.
pub(super) fn take_lock(directory: &ContainerDir, name: &Name) -> Result<Option<ProcessLock>, Error> {
    loop {
        match ProcessLock::acquire(directory.at("lock")) {
            Ok(Ok(lock)) => return Ok(Some(lock)),
            Ok(Err(pid)) => match (open_pidfd(pid), Container::read(directory.clone())) {
                // By the kernel's word too: a monitor that cannot record the end of its program is near its own.
                (Ok(_), Ok(container)) if container.is_running() && !container.has_lost_its_program() => {
                    return Err(Error::Busy { name: name.to_string(), pid });
                }
                // The monitor is past its program's end: its own is near.
                (Ok(monitor), _) => control::wait_until_readable(monitor.as_fd())?,
                (Err(_), _) => {}
            },
            Err(error) if error.is_not_found() => return Ok(None),
            Err(error) => return Err(error.into()),
        }
    }
}

/// Ends a running container, with or without a monitor.
fn end(container: &Container, timeout: Option<u32>) -> Result<(), Error> {
    if container.status == Status::Orphaned {
        return kill_orphan(container);
    }
    match control::stop(container, None, Some(timeout.unwrap_or(0))) {
        // It has ended by itself.
        Err(Error::Path(_) | Error::MonitorDied | Error::Step { .. }) | Ok(_) => Ok(()),
        Err(error) => Err(error),
    }
}

/// Kills the program of a container whose monitor was killed, and records how it ended.
pub(super) fn kill_orphan(container: &Container) -> Result<(), Error> {
    let Some(init) = &container.state.init else { return Ok(()) };
    kill(init)?;
    discard_group(container)?;
    let record = crate::monitor::ExitRecord {
        code: 137,
        at: crate::monitor::now(),
        error: "monitor killed".to_owned(),
        stopped_by_user: true,
        ..crate::monitor::ExitRecord::default()
    };
    Ok(container.directory.write_exit(&crate::monitor::Run(container.state.run), &record)?)
}

/// Kills a process, unless its number is another's by now, and waits for its end.
pub(super) fn kill(process: &ProcessId) -> Result<(), Error> {
    if let Ok(pidfd) = open_pidfd(process.pid)
        // Looked at again after the pidfd was opened: from here on it cannot become another process.
        && process.is_alive()
    {
        signal_pidfd(pidfd.as_fd(), libc::SIGKILL).map_err(Error::step("kill the container's program"))?;
        control::wait_until_readable(pidfd.as_fd())?;
    }
    Ok(())
}

/// Ends what may live in the cgroup of a container whose monitor was killed, and removes the group. A monitor that was
/// killed while it started the container has not recorded the group, nor the init that may be in it.
fn discard_group(container: &Container) -> Result<(), Error> {
    if container.state.run == 0 {
        return Ok(());
    }
    Ok(cgroup::discard(container.state.cgroup.as_deref(), &crate::monitor::cgroup_name(&container.config.id))?)
}

/// Takes name and directory of a container away: it is gone for everybody, and lies in `trash/`. Returns a lock on the
/// directory: sweepers leave it alone while the caller holds that.
pub(super) fn unlink(store: &Store, config: &ContainerConfig) -> Result<Option<OwnedFd>, Error> {
    let name = store.names().join(config.name.as_str());
    let directory = store.containers().join(config.id.as_str());
    let busy = rustix::fs::open(&directory, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())
        .and_then(|guard| flock(&guard, FlockOperation::NonBlockingLockExclusive).map(|()| guard));
    // The name may be another container's by now.
    if fs::read_link(&name).is_ok_and(|target| target.as_os_str() == config.id.as_str()) {
        // Somebody waits for it, and to free a file takes longer than to move it.
        match fs::rename(&name, directory.join("name")) {
            Err(error) if error.is_not_found() => ignore_missing(fs::remove_file(&name))?,
            moved => moved?,
        }
    }
    ignore_missing(fs::rename(directory, store.trash().join(config.id.as_str())))?;
    // Without the lock a sweeper may empty the directory at the same time, which is harmless.
    Ok(busy.ok())
}

pub(super) fn ignore_missing(result: Result<(), fs::PathError>) -> Result<(), Error> {
    match result {
        Err(error) if !error.is_not_found() => Err(error.into()),
        _ => Ok(()),
    }
}

/// Empties a container's directory in `trash/`. What belongs to subordinate ids takes a process that is root among
/// them.
pub(super) fn empty_trash(store: &Store, id: &ContainerId, runtime: &Path) -> Result<(), Error> {
    match remove_below(&store.trash(), id) {
        Err(error) if fs::is_foreign(&error) => {
            let home = UserNamespace::open(&IdMap::detect()?, runtime)?;
            empty_trash_inside(store, id, &home)
        }
        other => other.map_err(Error::step("remove the container's files")),
    }
}

/// [`empty_trash`] for who holds the user's namespace.
pub(super) fn empty_trash_inside(store: &Store, id: &ContainerId, home: &UserNamespace) -> Result<(), Error> {
    match remove_below(&store.trash(), id) {
        Err(error) if fs::is_foreign(&error) => {
            let trash = store.trash();
            Ok(userns::inside(home, "rc: remove", || {
                remove_below(&trash, id).map_err(Error::step("remove the container's files"))
            })?)
        }
        other => other.map_err(Error::step("remove the container's files")),
    }
}

fn remove_below(trash: &Path, id: &ContainerId) -> std::io::Result<()> {
    let directory = rustix::fs::open(trash, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
    remove_tree(directory, id.as_str())
}

/// Finishes the removal of a container whose monitor was killed: without asking, and without a user's namespace if it
/// can.
pub(super) fn sweep(store: &Store, container: &Container) -> Result<(), Error> {
    let Ok(Ok(lock)) = ProcessLock::acquire(container.directory.at("lock")) else { return Ok(()) };
    discard_group(container)?;
    discard_volumes(store, &container.config);
    let _busy = unlink(store, &container.config)?;
    drop(lock);
    // What belongs to other ids is left to the store's own sweep.
    drop(remove_below(&store.trash(), &container.config.id));
    Ok(())
}

/// A half-made directory goes at once: nothing in it is of other ids yet.
pub(super) fn discard(directory: &ContainerDir) {
    drop(fs::remove_dir_all(directory.path()));
}
