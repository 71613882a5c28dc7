//! Removes everything that killed commands and monitors left in the store.
//!
//! ```text
//! what is left                            found by                          removed by, and when
//! tmp/ unfinished containers, blobs,      a free flock                      `Store::sweep`, in the root namespace if
//!      layers, volumes, intakes, scratch                                    other IDs own files
//! trash/ half-removed things              a free flock                      the same
//! names/ a name without a container       its half-made container is in     here, before tmp/
//!                                         tmp/, unlocked
//! containers/ of `--rm`, monitor killed   the sticky bit of the directory,  here, with cgroup, volumes and name;
//!                                         then lock and records             also by `ps` and all that list
//! volumes/ anonymous, the start killed    half the name is the ID of a      here; only if it is empty, was never
//!      before the container existed       container that does not exist     used, and no container mounts it
//! volumes/ anonymous, of `--rm` in trash/ the config.json there             here, before trash/
//! networks/ a directory without a record  a search                          here; only a command that removes looks
//! blobs, layers without an image          a mark in tmp/ (storage::ingest)  engine::sweep; not while others ingest
//! userns/PID (runtime directory)          a link that leads nowhere         userns::home, at each search
//! cgroups of steps, the build killed      config.json in its scratch        here, before tmp/
//! cgroups of other containers             state.json or the cgroup's name   `rm`, `stop`; a scope ends with its
//!                                                                           last process
//! mounts, network helpers, fuse-overlayfs the kernel                        with their namespace or monitor
//! *.lock, ctl, NAME.new                   one of each                       used again
//! ```
//! Every command that writes does all of this (`engine::sweep`). [`has_leftovers`] is the cheap check before it.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::str::FromStr as _;

use super::half_made::{STICKY, is_at_work, take_abandoned};
use super::identity::volume_stem;
use super::trash::{self, ignore_missing};
use super::{Container, Error, ending, find, leftover};
use crate::monitor::ContainerDir;
use crate::net::record::Networks;
use crate::plan::MountKind;
use crate::storage::Store;
use crate::sys::fs;
use crate::types::{ContainerId, Name};
use crate::userns::{self, IdMap, UserNamespace};

/// Whether killed processes have left something that [`sweep_store`] removes.
pub(crate) fn has_leftovers(store: &Store) -> Result<bool, Error> {
    Ok(store.has_leftovers()? || !left_over(store)?.is_empty() || !lost_volumes(store)?.is_empty())
}

/// Removes what killed processes have left; files of other IDs in the user's root namespace.
///
/// If something cannot be removed, rc still removes the rest and then fails with the first error. Waits for the store's
/// lock, which the caller must not have.
pub(crate) fn sweep_store(store: &Store, runtime: &Path) -> Result<(), Error> {
    let lost = sweep_lost_volumes(store);
    let networks = Networks::of(store.root()).sweep().map_err(Error::from);
    sweep_trash(store, runtime).and(lost).and(networks)
}

/// Empties the trash, after a removal that has moved volumes there: all of [`sweep_store`] but what needs the store's
/// lock. A start that replaces a container has that lock, and so has one whose monitor removes what has failed: they
/// would wait for themselves.
pub(super) fn sweep_trash(store: &Store, runtime: &Path) -> Result<(), Error> {
    let swept = sweep_dead(store);
    match store.sweep()? {
        0 => {}
        _ => drop(sweep_foreign(store, &UserNamespace::open(&IdMap::detect()?, runtime)?)?),
    }
    swept
}

/// [`sweep_trash`] for a caller that has the root namespace open.
pub(super) fn sweep_trash_inside(store: &Store, home: &UserNamespace) -> Result<(), Error> {
    let swept = sweep_dead(store);
    if store.sweep()? > 0 {
        sweep_foreign(store, home)?;
    }
    swept
}

fn sweep_foreign(store: &Store, home: &UserNamespace) -> Result<usize, Error> {
    Ok(userns::inside(home, "rc: sweep", || store.sweep())?)
}

/// Removes, or moves to the trash, what records and names show to be left over.
fn sweep_dead(store: &Store) -> Result<(), Error> {
    sweep_steps(store);
    let containers = sweep_containers(store);
    containers.and(sweep_volumes_of_trash(store)).and(sweep_names(store))
}

/// `--rm` containers whose monitor was killed before it removed them.
fn left_over(store: &Store) -> Result<Vec<Container>, Error> {
    let mut found = Vec::new();
    for id in find::ids(store)? {
        let directory = ContainerDir::new(store.containers().join(id.as_str()));
        let is_sticky =
            fs::symlink_metadata(directory.path()).is_ok_and(|it| it.permissions().mode() & STICKY == STICKY);
        // Only records without a living monitor are read. `ps` reports those that cannot be read.
        if is_sticky
            && directory.holder().is_ok_and(|holder| holder.is_none())
            && let Ok(container) = Container::read(directory)
            && container.is_left_over()
        {
            found.push(container);
        }
    }
    Ok(found)
}

fn sweep_containers(store: &Store) -> Result<(), Error> {
    let removed: Vec<_> = left_over(store)?.iter().map(|container| leftover::remove(store, container)).collect();
    removed.into_iter().collect()
}

/// Steps of builds that were killed with all of their monitors: only their directories name their cgroups.
///
/// Beside them in `tmp/` are the files of images and contexts, whose names and content are hostile: only what rc itself
/// names is read, and only while its lock is free.
fn sweep_steps(store: &Store) {
    let builds = fs::paths_in(store.tmp()).unwrap_or_default();
    for build in builds.iter().filter(|path| is_named(path, &["scratch-"])) {
        let Some(_lock) = take_abandoned(build) else { continue };
        let steps = fs::paths_in(build).unwrap_or_default();
        for step in steps.into_iter().filter(|path| is_named(path, &["step-", "shell-"])) {
            let directory = ContainerDir::new(step);
            if let Ok(config) = directory.config() {
                ending::discard_cgroup_of_step(&directory, &config.id);
            }
        }
    }
}

/// Whether the name of a file begins with one of these.
fn is_named(path: &Path, beginnings: &[&str]) -> bool {
    let name = path.file_name().and_then(OsStr::to_str).unwrap_or_default();
    beginnings.iter().any(|beginning| name.starts_with(beginning))
}

/// A monitor moves its `--rm` container to the trash before the anonymous volumes.
fn sweep_volumes_of_trash(store: &Store) -> Result<(), Error> {
    for id in ids_in(&store.trash())? {
        if let Ok(config) = ContainerDir::new(store.trash().join(id.as_str())).config()
            && config.auto_remove
        {
            trash::discard_volumes(store, &config);
        }
    }
    Ok(())
}

/// Anonymous volumes that no program has ever used, and whose containers do not exist.
///
/// A volume that was used stays when its container is removed (`rm` without `-v`).
fn lost_volumes(store: &Store) -> Result<Vec<Name>, Error> {
    let names = match fs::read_dir(store.volumes()) {
        Ok(names) => names.flatten().filter_map(|entry| Name::from_str(entry.file_name().to_str()?).ok()),
        Err(error) if error.is_not_found() => return Ok(Vec::new()),
        Err(error) => return Err(error.into()),
    };
    let mut anonymous = names.filter_map(|name| Some((ContainerId::from_str(name.as_str()).ok()?, name))).peekable();
    if anonymous.peek().is_none() {
        return Ok(Vec::new());
    }
    let containers: BTreeSet<String> = find::ids(store)?.iter().map(|id| volume_stem(id).to_owned()).collect();
    let is_unused = |name: &Name| {
        let volume = store.volume(name).ok().flatten();
        volume.is_some_and(|volume| volume.record.is_anonymous && volume.is_fresh().is_ok_and(|fresh| fresh))
    };
    let lost = anonymous.filter(|(digits, name)| !containers.contains(volume_stem(digits)) && is_unused(name));
    Ok(lost.map(|(_, name)| name).collect())
}

fn sweep_lost_volumes(store: &Store) -> Result<(), Error> {
    if lost_volumes(store)?.is_empty() {
        return Ok(());
    }
    // A start holds the lock, shared, from before it creates volumes until the record of its container names them.
    let _lock = store.lock_exclusive()?;
    let lost = lost_volumes(store)?;
    let listing = find::list(store)?;
    if !listing.broken.is_empty() {
        // A damaged container may mount any of them.
        return Ok(());
    }
    let mounts = listing.containers.iter().flat_map(|container| &container.config.mounts);
    let used: BTreeSet<&Name> = mounts
        .filter_map(|mount| match &mount.kind {
            MountKind::Volume { name, .. } => Some(name),
            _ => None,
        })
        .collect();
    for name in lost.iter().filter(|name| !used.contains(name)) {
        store.remove_volume(name)?;
    }
    Ok(())
}

/// Removes names whose makers were killed before the container had its place.
fn sweep_names(store: &Store) -> Result<(), Error> {
    let is_there = |id: &Path| store.containers().join(id).exists();
    for name in fs::read_dir(store.names())?.flatten() {
        let Ok(id) = fs::read_link(name.path()) else { continue };
        // Checked once more at the end: the directory may have been moved to its place since.
        if !is_there(&id) && !is_at_work(&store.tmp().join(&id)) && !is_there(&id) {
            ignore_missing(fs::remove_file(name.path()))?;
        }
    }
    Ok(())
}

/// The IDs among the names in a directory.
fn ids_in(directory: &Path) -> Result<Vec<ContainerId>, Error> {
    let entries = fs::read_dir(directory)?.flatten();
    Ok(entries.filter_map(|entry| ContainerId::from_str(entry.file_name().to_str()?).ok()).collect())
}
