//! The volumes of a container at its start.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::Error;
use crate::monitor::now;
use crate::plan::{ContainerConfig, Mount, MountKind};
use crate::storage::Store;
use crate::storage::volumes::{Record, Volume};
use crate::sys::lock::FileLock;
use crate::types::Name;

/// A volume that was never used. It is filled from the image while its lock is held.
pub(super) struct Fresh {
    volume: Volume,
    lock: FileLock,
    /// Where it is mounted.
    pub(super) destination: PathBuf,
}

/// Creates missing volumes, and returns those that must be filled from the image.
///
/// rc locks them in the order of their names, and each one once, however often it is mounted: otherwise two starts with
/// the same volumes could wait for each other, or one for itself.
pub(super) fn prepare(store: &Store, config: &ContainerConfig) -> Result<Vec<Fresh>, Error> {
    let mut wanted: BTreeMap<&Name, (bool, Vec<&Mount>)> = BTreeMap::new();
    for mount in &config.mounts {
        if let MountKind::Volume { name, anonymous } = &mount.kind {
            wanted.entry(name).or_insert((*anonymous, Vec::new())).1.push(mount);
        }
    }
    let mut fresh = Vec::new();
    for (name, (is_anonymous, mounts)) in wanted {
        let record = Record { name: name.clone(), created: now(), labels: BTreeMap::new(), is_anonymous };
        let volume = store.create_volume(&record)?;
        let lock = volume.lock()?;
        let filled = mounts.iter().find(|mount| !mount.options.iter().any(|option| option == "nocopy"));
        if let Some(mount) = filled
            && volume.is_fresh()?
        {
            fresh.push(Fresh { volume, lock, destination: PathBuf::from(&mount.destination) });
        }
    }
    Ok(fresh)
}

/// Unlocks the new volumes, and marks them as used if the start succeeded.
pub(super) fn settle(fresh: Vec<Fresh>, started: &Result<(), Error>) -> Result<(), Error> {
    for Fresh { volume, lock, .. } in fresh {
        if started.is_ok() {
            match volume.mark_used() {
                // The program has ended already, and its anonymous volume was removed with it.
                Err(crate::storage::Error::Path(error)) if error.is_not_found() => {}
                other => other?,
            }
        }
        // The monitor has a copy of the descriptor. If the start was interrupted, it may still be filling the volume.
        match started {
            Err(Error::Interrupted(_)) => drop(lock),
            _ => lock.release(),
        }
    }
    Ok(())
}
