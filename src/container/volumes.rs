//! The volumes of a container at its start.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::Error;
use crate::monitor::now;
use crate::plan::{ContainerConfig, LocalVolume, Mount, MountKind, VolumeSettings};
use crate::storage::Store;
use crate::storage::events::{Event, EventKind};
use crate::storage::volumes::{Record, Volume};
use crate::sys::fs;
use crate::sys::lock::FileLock;
use crate::types::Name;

/// The volumes of a start, which nobody can remove while it is under way.
#[derive(Debug, Default)]
pub(super) struct Prepared {
    /// Those that are filled from the image, with their locks.
    fresh: Vec<(Volume, FileLock)>,
    /// The locks of the others.
    used: Vec<FileLock>,
    /// Where the fresh ones are mounted.
    pub(super) copy_up: Vec<PathBuf>,
    /// What volumes with options are mounted as, by their names.
    others: BTreeMap<Name, LocalVolume>,
}

/// Creates missing volumes, and finds those that must be filled from the image.
///
/// rc locks them in the order of their names, and each one once, however often it is mounted: otherwise two starts with
/// the same volumes could wait for each other, or one for itself.
pub(super) fn prepare(store: &Store, config: &ContainerConfig) -> Result<Prepared, Error> {
    let mut wanted: BTreeMap<&Name, (New<'_>, Vec<&Mount>)> = BTreeMap::new();
    for mount in &config.mounts {
        if let MountKind::Volume { name, anonymous, settings } = &mount.kind {
            let new = New { name, is_anonymous: *anonymous, settings };
            wanted.entry(name).or_insert((new, Vec::new())).1.push(mount);
        }
    }
    let mut prepared = Prepared::default();
    for (name, (new, mounts)) in wanted {
        let (volume, lock) = new.create(store)?;
        let local = LocalVolume::parse(&volume.record.options)?;
        let filled = mounts.iter().find(|mount| !mount.options.iter().any(|option| option == "nocopy"));
        match filled.filter(|_| local.copies()) {
            Some(mount) if is_fresh(&volume, &local)? => {
                prepared.copy_up.push(PathBuf::from(&mount.destination));
                prepared.fresh.push((volume, lock));
            }
            _ => {
                drop(lock);
                // Removed in between: it is created again, and others cannot remove it now.
                prepared.used.push(volume.lock_shared()?.map_or_else(|| new.create(store).map(|(_, lock)| lock), Ok)?);
            }
        }
        if !matches!(local, LocalVolume::Directory { uid: None, gid: None, .. }) {
            prepared.others.insert(name.clone(), local);
        }
    }
    Ok(prepared)
}

/// A volume as it is created if it is missing.
#[derive(Clone, Copy)]
struct New<'a> {
    name: &'a Name,
    is_anonymous: bool,
    settings: &'a VolumeSettings,
}

impl New<'_> {
    /// The volume, which is created if it is missing, and its lock.
    fn create(self, store: &Store) -> Result<(Volume, FileLock), Error> {
        let Self { name, is_anonymous, settings } = self;
        loop {
            let (labels, options) = (settings.labels.clone(), settings.options.clone());
            let record = Record { name: name.clone(), created: now(), labels, is_anonymous, options };
            let volume = store.create_volume(&record)?;
            if let Some(lock) = volume.lock()? {
                if volume.record == record {
                    store.events().add(&[Event::new(EventKind::Volume, "create", "", name.as_str())]);
                }
                return Ok((volume, lock));
            }
        }
    }
}

/// Whether the image's files must be copied into a volume. A tmpfs is filled each time by its own mount.
fn is_fresh(volume: &Volume, local: &LocalVolume) -> Result<bool, Error> {
    match local {
        LocalVolume::Directory { .. } => Ok(volume.is_fresh()?),
        // As docker: while it is empty. The start itself says what is wrong with it.
        LocalVolume::Bind { device, .. } => Ok(fs::read_dir(device).is_ok_and(|mut names| names.next().is_none())),
        LocalVolume::Tmpfs { .. } => Ok(false),
    }
}

impl Prepared {
    /// The configuration that is mounted: with what the options of volumes say in their places.
    pub(super) fn resolve(&self, config: &ContainerConfig) -> Option<ContainerConfig> {
        if self.others.is_empty() {
            return None;
        }
        let mut resolved = config.clone();
        for mount in &mut resolved.mounts {
            if let MountKind::Volume { name, .. } = &mount.kind
                && let Some(local) = self.others.get(name)
            {
                *mount = local.mount(mount);
            }
        }
        Some(resolved)
    }

    /// Unlocks the volumes, and marks the fresh ones as used if the start succeeded.
    ///
    /// The program runs by now, so a mark that cannot be made is no failure of the start: on a full disk, or because
    /// the program has ended already, and its anonymous volume was removed with it. Without the mark a volume counts as
    /// used as well, unless it is empty.
    pub(super) fn settle(self, started: &Result<(), Error>) {
        for (volume, lock) in self.fresh {
            if started.is_ok() {
                drop(volume.mark_used());
            }
            // The monitor has a copy of the descriptor. If the start was interrupted, it may still be filling the
            // volume.
            match started {
                Err(Error::Interrupted(_)) => drop(lock),
                _ => lock.release(),
            }
        }
        self.used.into_iter().for_each(FileLock::release);
    }
}
