//! Removing containers.

use std::path::Path;

use super::{Container, Error, control, ending, lock, sweep, trash};
use crate::monitor::Status;
use crate::storage::Store;

/// How a container is removed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Removal {
    /// Also if it runs: rc stops it first.
    pub(crate) force: bool,
    /// Seconds between the stop signal and SIGKILL with `force`.
    pub(crate) timeout: Option<u32>,
    /// With its anonymous volumes.
    pub(crate) volumes: bool,
}

/// Removes a container.
///
/// Fails if it runs and `force` is not set. Succeeds if the container ends and removes itself meanwhile.
pub(crate) fn remove(store: &Store, container: &Container, removal: &Removal, runtime: &Path) -> Result<(), Error> {
    if container.is_running() {
        if !removal.force {
            return Err(container.cannot("remove"));
        }
        end(container, removal.timeout)?;
    }
    let Some(lock) = lock::take(&container.directory, &container.config.name)? else { return Ok(()) };
    ending::discard_cgroup(container)?;
    let volumes = removal.volumes || container.config.auto_remove;
    // First: if this process were killed in between, nothing would say to which container the volumes belonged.
    let has_volumes = volumes && trash::discard_volumes(store, &container.config);
    let busy = trash::unlink(store, &container.config)?;
    drop(lock);
    if has_volumes {
        sweep::sweep_store(store, runtime)?;
    }
    trash::empty(store, &container.config.id, runtime)?;
    drop(busy);
    Ok(())
}

/// Ends a running container, with or without a monitor.
fn end(container: &Container, timeout: Option<u32>) -> Result<(), Error> {
    if container.status == Status::Orphaned {
        return ending::kill_orphan(container);
    }
    match control::stop(container, None, Some(timeout.unwrap_or(0))) {
        // It has ended by itself.
        Err(Error::Path(_) | Error::MonitorDied | Error::Step { .. }) | Ok(_) => Ok(()),
        Err(error) => Err(error),
    }
}
