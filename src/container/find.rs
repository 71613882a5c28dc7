//! Finds containers and pods by name or ID, and lists all of them. A pod's record is that of a container that runs no
//! program; who asks for containers does not get it.

use std::str::FromStr as _;

use super::{Container, Error, leftover, names};
use crate::monitor::ContainerDir;
use crate::storage::Store;
use crate::sys::fs;
use crate::types::{ContainerId, Name, Network};

/// All containers. The damaged ones are listed apart, so that none of them hides the others.
#[derive(Debug, Default)]
pub(crate) struct Listing {
    /// The readable ones, newest first.
    pub(crate) containers: Vec<Container>,
    /// The readable pods, newest first.
    pub(crate) pods: Vec<Container>,
    /// The damaged ones, each with an [`Error::Damaged`].
    pub(crate) broken: Vec<(ContainerId, Error)>,
}

impl Listing {
    /// Containers and pods: all that have a network, IDs and files.
    pub(crate) fn all(self) -> impl Iterator<Item = Container> {
        self.containers.into_iter().chain(self.pods)
    }

    /// The container or pod whose network a container has, directly or through others; itself if it has its own.
    pub(crate) fn network_of<'a>(&'a self, container: &'a Container) -> &'a Container {
        let mut found = container;
        // A damaged record may say anything.
        for _ in 0..16 {
            let Network::Container(id) = &found.config.network else { break };
            let mut all = self.containers.iter().chain(&self.pods);
            let Some(next) = all.find(|other| other.config.id.as_str() == id) else { break };
            found = next;
        }
        found
    }
}

/// Lists all containers, and removes `--rm` containers whose monitor was killed before it could.
pub(crate) fn list(store: &Store) -> Result<Listing, Error> {
    let mut listing = Listing::default();
    for id in ids(store)? {
        match read(store, &id) {
            Ok(Some(pod)) if pod.config.sandbox.is_some() => listing.pods.push(pod),
            Ok(Some(container)) => listing.containers.push(container),
            Ok(None) => {}
            Err(error) => listing.broken.push((id, error)),
        }
    }
    for found in [&mut listing.containers, &mut listing.pods] {
        found.sort_by(|a, b| b.config.created.cmp(&a.config.created));
    }
    Ok(listing)
}

/// The container with this ID. `None` if it does not exist, or if it was left over: then rc removes it now.
///
/// Fails with [`Error::Damaged`] if something is in its place and cannot be read.
fn read(store: &Store, id: &ContainerId) -> Result<Option<Container>, Error> {
    let path = store.containers().join(id.as_str());
    match Container::read(ContainerDir::new(&path)) {
        Ok(container) if container.is_left_over() => {
            // The next command tries again to remove what cannot be removed now.
            drop(leftover::remove(store, &container));
            Ok(None)
        }
        Ok(container) => Ok(Some(container)),
        // A removal moves the directory away as a whole: one that still exists but is incomplete is damaged.
        Err(error) if error.is_not_found() && !is_there(store, id) => Ok(None),
        Err(reason) => Err(Error::Damaged { id: id.clone(), reason: Box::new(reason) }),
    }
}

/// Whether anything is in the place of the container with this ID.
pub(super) fn is_there(store: &Store, id: &ContainerId) -> bool {
    fs::symlink_metadata(store.containers().join(id.as_str())).is_ok()
}

/// The error of a name that `holder` has.
pub(super) fn name_taken(store: &Store, name: &Name, holder: Option<&ContainerId>) -> Error {
    let config = holder.and_then(|id| ContainerDir::new(store.containers().join(id.as_str())).config().ok());
    let what = if config.is_some_and(|config| config.sandbox.is_some()) { "pod" } else { "container" };
    Error::NameTaken { name: name.to_string(), what, id: holder.map(|id| id.short().to_owned()).unwrap_or_default() }
}

/// The IDs of all containers.
pub(super) fn ids(store: &Store) -> Result<Vec<ContainerId>, Error> {
    match fs::read_dir(store.containers()) {
        Ok(entries) => {
            Ok(entries.flatten().filter_map(|e| ContainerId::from_str(e.file_name().to_str()?).ok()).collect())
        }
        Err(error) if error.is_not_found() => Ok(Vec::new()),
        Err(error) => Err(error.into()),
    }
}

/// A container's name without the slash that docker puts before it: `/web`.
pub(crate) fn bare_name(text: &str) -> &str {
    text.strip_prefix('/').unwrap_or(text)
}

/// Finds the container with this name, ID or unambiguous beginning of an ID; a name takes precedence.
///
/// Fails with [`Error::Damaged`], which has its ID, if it cannot be read, and with [`Error::IsPod`] for a pod.
pub(crate) fn find(store: &Store, wanted: &str) -> Result<Container, Error> {
    let found = find_any(store, wanted)?;
    if found.config.sandbox.is_some() {
        return Err(Error::IsPod(wanted.to_owned()));
    }
    Ok(found)
}

/// As [`find`], also a pod.
pub(crate) fn find_any(store: &Store, wanted: &str) -> Result<Container, Error> {
    let id = id_of(store, wanted)?;
    read(store, &id)?.ok_or_else(|| Error::NotFound(wanted.to_owned()))
}

/// The ID of the container with this name, ID or unambiguous beginning of an ID.
pub(super) fn id_of(store: &Store, wanted: &str) -> Result<ContainerId, Error> {
    if let Ok(name) = Name::from_str(bare_name(wanted))
        && let Some(id) = names::owner(store, &name)
    {
        return Ok(id);
    }
    if wanted.is_empty() || !wanted.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')) {
        return Err(Error::NotFound(wanted.to_owned()));
    }
    let mut matching = ids(store)?.into_iter().filter(|id| id.as_str().starts_with(wanted));
    match (matching.next(), matching.next()) {
        (Some(id), None) => Ok(id),
        (Some(_), Some(_)) => Err(Error::Ambiguous(wanted.to_owned())),
        (None, _) => Err(Error::NotFound(wanted.to_owned())),
    }
}
