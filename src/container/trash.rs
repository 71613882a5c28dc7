//! Takes a container out of the store. Its name is removed first, then rc moves its directory to `trash/`, under its
//! ID, and empties it there: a command that is killed in between leaves the rest to the next command. rc unlinks before
//! it writes anything, so that removing works on a full disk.

use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::fs::{FlockOperation, Mode, OFlags, flock};

use super::{Error, names};
use crate::monitor::ContainerDir;
use crate::plan::{ContainerConfig, MountKind};
use crate::storage::{Store, remove_tree};
use crate::sys::fs;
use crate::types::ContainerId;
use crate::userns::{self, IdMap, UserNamespace};

/// Moves the anonymous volumes of a container to the trash, and tells whether there are any to sweep now. What cannot
/// be removed is left to `volume prune`.
pub(super) fn discard_volumes(store: &Store, config: &ContainerConfig) -> bool {
    let mut any = false;
    for mount in &config.mounts {
        if let MountKind::Volume { name, anonymous: true, .. } = &mount.kind {
            any |= store.remove_volume(name).unwrap_or(false);
        }
    }
    any
}

/// Removes the name of a container and moves its directory to `trash/`: from now on no command finds it. Returns a lock
/// on the directory; while the caller holds it, no sweeper touches the directory.
pub(super) fn unlink(store: &Store, config: &ContainerConfig) -> Result<Option<OwnedFd>, Error> {
    let directory = store.containers().join(config.id.as_str());
    // A monitor does not know that its container was renamed.
    let renamed = ContainerDir::new(&directory).name().ok().flatten();
    let name = names::link(store, renamed.as_ref().unwrap_or(&config.name));
    let busy = rustix::fs::open(&directory, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())
        .and_then(|guard| flock(&guard, FlockOperation::NonBlockingLockExclusive).map(|()| guard));
    // Another container may have the name by now.
    if names::leads_to(&name, &config.id) {
        // A user waits for this, and to move a file is faster than to free it.
        match fs::rename(&name, directory.join("name")) {
            Err(error) if error.is_not_found() => ignore_missing(fs::remove_file(&name))?,
            moved => moved?,
        }
    }
    ignore_missing(fs::rename(directory, store.trash().join(config.id.as_str())))?;
    // Without the lock a sweeper may empty the directory at the same time, which is harmless.
    Ok(busy.ok())
}

/// The same result, but a missing file is no failure.
pub(super) fn ignore_missing(result: Result<(), fs::PathError>) -> Result<(), Error> {
    match result {
        Err(error) if !error.is_not_found() => Err(error.into()),
        _ => Ok(()),
    }
}

/// Removes a container's directory from `trash/`. Only a process that is root in the user's root namespace can remove
/// files of subordinate IDs, so one is forked if there are any.
pub(super) fn empty(store: &Store, id: &ContainerId, runtime: &Path) -> Result<(), Error> {
    match remove_own(store, id) {
        Err(error) if fs::is_foreign(&error) => {
            let home = UserNamespace::open(&IdMap::detect()?, runtime)?;
            empty_inside(store, id, &home)
        }
        other => other.map_err(Error::step(REMOVE_FILES)),
    }
}

/// [`empty`] for a caller that has the root namespace open.
pub(super) fn empty_inside(store: &Store, id: &ContainerId, home: &UserNamespace) -> Result<(), Error> {
    match remove_own(store, id) {
        Err(error) if fs::is_foreign(&error) => {
            Ok(userns::inside(home, "rc: remove", || remove_own(store, id).map_err(Error::step(REMOVE_FILES)))?)
        }
        other => other.map_err(Error::step(REMOVE_FILES)),
    }
}

const REMOVE_FILES: &str = "remove the container's files";

/// Removes a container's directory from `trash/`, as far as this process may.
pub(super) fn remove_own(store: &Store, id: &ContainerId) -> std::io::Result<()> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    remove_tree(rustix::fs::open(store.trash(), flags, Mode::empty())?, id.as_str())
}
