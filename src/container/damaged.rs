//! Removes containers whose directory lacks a record, or has something else in the place of a record.
//!
//! The configuration of such a container may be unknown, so nothing here depends on a single record: rc finds the
//! monitor by its lock or its socket, the program by the state or by the name of the cgroup, and the name by the link
//! that leads to the ID.

use std::io;
use std::os::fd::{AsFd as _, OwnedFd};

use super::{Error, Removal, client, ending, find, names, sweep, trash};
use crate::monitor::protocol::Ask;
use crate::monitor::{ContainerDir, State, Status, cgroup_name};
use crate::runtime::cgroup;
use crate::storage::Store;
use crate::sys::fs::{self, PathError};
use crate::sys::process::{open_pidfd, signal_pidfd};
use crate::types::ContainerId;

/// Removes the container with this ID, whatever its directory lacks or is.
///
/// Fails if its monitor or its program lives and `force` is not set. Its anonymous volumes are removed only if its
/// configuration can still be read.
pub(crate) fn remove_damaged(
    store: &Store,
    id: &ContainerId,
    removal: &Removal,
    runtime: &std::path::Path,
) -> Result<(), Error> {
    let directory = ContainerDir::new(store.containers().join(id.as_str()));
    // If the modes cannot be changed, rc tries all the same.
    drop(fs::open_up(directory.path()).and_then(|()| fs::open_up(directory.at("lock"))));
    let is_anothers = is_anothers(store, &directory, id);
    let state = if is_anothers { None } else { directory.state().ok() };
    if !is_anothers && let Some(status) = end(&directory, state.as_ref(), removal)? {
        return Err(Error::State { action: "remove", name: id.short().to_owned(), status });
    }
    cgroup::discard(state.as_ref().and_then(|state| state.cgroup.as_deref()), &cgroup_name(id))?;
    let config = directory.config().ok().filter(|config| config.id == *id);
    free_names(store, id)?;
    trash::ignore_missing(fs::rename(directory.path(), store.trash().join(id.as_str())))?;
    let volumes =
        config.is_some_and(|config| (removal.volumes || config.auto_remove) && trash::discard_volumes(store, &config));
    if volumes {
        sweep::sweep_trash(store, runtime)?;
    }
    trash::empty(store, id, runtime)
}

/// Whether lock, socket and state in the directory belong to another container, because it is a link to that
/// container's directory or a copy with hard links. Then rc must not end the processes that they name.
fn is_anothers(store: &Store, directory: &ContainerDir, id: &ContainerId) -> bool {
    if fs::symlink_metadata(directory.path()).is_ok_and(|found| !found.is_dir()) {
        return true;
    }
    directory.config().is_ok_and(|config| config.id != *id && find::is_there(store, &config.id))
}

/// Ends the container's processes with `force`. Without, it returns the status if something runs.
fn end(directory: &ContainerDir, state: Option<&State>, removal: &Removal) -> Result<Option<Status>, Error> {
    let monitor = match directory.holder() {
        Ok(holder) => holder,
        Err(error) if is_no_record(&error) => None,
        Err(error) => return Err(error.into()),
    };
    // If the lock was unlinked, the monitor still listens.
    let socket = client::connect_in(directory).ok();
    let init = state.and_then(|state| state.init.as_ref()).filter(|init| init.is_alive());
    if !removal.force {
        let is_watched = monitor.is_some() || socket.is_some();
        return Ok(if is_watched { Some(Status::Running) } else { init.map(|_| Status::Orphaned) });
    }
    let pidfd = monitor.and_then(|pid| open_pidfd(pid).ok());
    if let Some(socket) = socket {
        // A monitor that stops answering is about to end.
        drop(stop(&socket, removal.timeout.unwrap_or(0)));
    } else if let Some(pidfd) = &pidfd {
        // Without a socket the monitor cannot be asked.
        signal_pidfd(pidfd.as_fd(), libc::SIGKILL).map_err(Error::step("kill the container's monitor"))?;
    }
    if let Some(pidfd) = &pidfd {
        ending::wait_for_end(pidfd.as_fd())?;
    }
    if let Some(init) = init {
        ending::kill(init)?;
    }
    Ok(None)
}

/// Asks the monitor to stop its program, and waits until the monitor closes the socket.
fn stop(socket: &OwnedFd, timeout: u32) -> Result<(), Error> {
    client::ask(socket, &Ask::Stop { signal: None, timeout: Some(timeout) }, &[])?;
    client::ask(socket, &Ask::Wait, &[])?;
    loop {
        client::answer(socket)?;
    }
}

/// Removes every name that leads to the container.
fn free_names(store: &Store, id: &ContainerId) -> Result<(), Error> {
    for name in fs::read_dir(store.names())?.flatten() {
        if names::leads_to(&name.path(), id) {
            trash::ignore_missing(fs::remove_file(name.path()))?;
        }
    }
    Ok(())
}

/// Whether the file is missing, or something else is in its place.
fn is_no_record(error: &PathError) -> bool {
    use io::ErrorKind::{InvalidInput, NotADirectory, NotFound};
    matches!(error.source.kind(), NotFound | NotADirectory | InvalidInput)
}
