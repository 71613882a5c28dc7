//! Names of containers: in `names/` each is a symlink that leads to an ID. symlink(2) reserves a name, because it fails
//! if the name exists.

mod random;

use std::path::{Path, PathBuf};
use std::str::FromStr as _;

pub(super) use random::random;

use crate::storage::Store;
use crate::sys::fs::{self, PathError};
use crate::types::{ContainerId, Name};

/// The path of a name's link.
pub(super) fn link(store: &Store, name: &Name) -> PathBuf {
    store.names().join(name.as_str())
}

/// The ID that a link leads to; `None` if it leads to something else.
///
/// Fails if there is no link.
pub(super) fn target(link: &Path) -> Result<Option<ContainerId>, PathError> {
    Ok(fs::read_link(link)?.to_str().and_then(|id| ContainerId::from_str(id).ok()))
}

/// The ID of the container with this name.
pub(super) fn owner(store: &Store, name: &Name) -> Option<ContainerId> {
    target(&link(store, name)).ok().flatten()
}

/// Whether a link leads to this container.
pub(super) fn leads_to(link: &Path, id: &ContainerId) -> bool {
    fs::read_link(link).is_ok_and(|target| target.as_os_str() == id.as_str())
}
