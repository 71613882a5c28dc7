//! Removes a `--rm` container whose monitor was killed before it could.

use super::{Container, Error, ending, trash};
use crate::storage::Store;
use crate::sys::lock::ProcessLock;

/// Removes a container that [`Container::is_left_over`]. Does nothing if another process does it now.
///
/// Files of subordinate IDs stay in `trash/`, for the store's own sweep: this needs no user namespace.
pub(super) fn remove(store: &Store, container: &Container) -> Result<(), Error> {
    let Ok(Ok(lock)) = ProcessLock::acquire(container.directory.at("lock")) else { return Ok(()) };
    ending::discard_cgroup(container)?;
    ending::discard_leases(store, container);
    trash::discard_volumes(store, &container.config);
    let _busy = trash::unlink(store, &container.config)?;
    drop(lock);
    drop(trash::remove_own(store, &container.config.id));
    Ok(())
}
