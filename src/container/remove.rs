//! Removing containers.

use std::path::Path;

use super::control::{self, Stopping};
use super::{Container, Error, ending, lock, sweep, trash};
use crate::monitor::{Status, container_event};
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

/// A removal that has begun: a running container is ending.
#[derive(Debug)]
#[must_use = "the container still exists"]
pub(crate) struct Removing {
    container: Container,
    removal: Removal,
    /// Its end, if it runs.
    stopping: Option<Stopping>,
}

/// Begins to remove a container: requests its end if it runs.
///
/// Fails if it runs and `force` is not set.
pub(crate) fn begin_removal(container: Container, removal: &Removal) -> Result<Removing, Error> {
    let stopping = match (container.status, removal.force) {
        _ if !container.is_running() => None,
        (_, true) => Some(control::stop(&container, None, Some(removal.timeout.unwrap_or(0)))),
        // No program of it runs yet, and none may be ended that does by the time that the monitor hears of this.
        (Status::Initialized, false) => Some(control::undo(&container)),
        (_, false) => return Err(container.cannot("remove")),
    };
    Ok(Removing { container, removal: *removal, stopping })
}

/// Removes a container.
///
/// Fails if it runs and `force` is not set.
pub(crate) fn remove(store: &Store, container: Container, removal: &Removal, runtime: &Path) -> Result<(), Error> {
    begin_removal(container, removal)?.finish(store, runtime)
}

impl Removing {
    /// Removes the container when it has ended. Succeeds if it has removed itself meanwhile.
    pub(crate) fn finish(self, store: &Store, runtime: &Path) -> Result<(), Error> {
        let Self { container, removal, stopping } = self;
        match stopping.map_or(Ok(()), |stopping| end(stopping, &container)) {
            // Another command has begun to start what was initialized.
            Err(error) if !removal.force && error.is_conflict() => {
                return end_again(&container, &removal, store, runtime);
            }
            other => other?,
        }
        let lock = match lock::take(&container.directory, &container.config.name) {
            // It was started since it was looked at.
            Err(Error::Busy { .. }) => return end_again(&container, &removal, store, runtime),
            other => other?,
        };
        let Some(lock) = lock else { return Ok(()) };
        ending::discard_cgroup(&container)?;
        ending::discard_leases(store, &container);
        ending::discard_pod_cgroup(&container);
        let volumes = removal.volumes || container.config.auto_remove;
        // First: if this process were killed in between, nothing would say to which container the volumes belonged.
        let has_volumes = volumes && trash::discard_volumes(store, &container.config);
        let busy = trash::unlink(store, &container.config)?;
        store.events().add(&[container_event(&container.config, "remove")]);
        drop(lock);
        if has_volumes {
            sweep::sweep_trash(store, runtime)?;
        }
        trash::empty(store, &container.config.id, runtime)?;
        drop(busy);
        Ok(())
    }
}

/// Removes a container that has been started while it was being removed, if it may be ended.
fn end_again(container: &Container, removal: &Removal, store: &Store, runtime: &Path) -> Result<(), Error> {
    match container.again() {
        Ok(now) => remove(store, now, removal, runtime),
        Err(Error::NotFound(_)) => Ok(()),
        Err(error) => Err(error),
    }
}

/// Waits for the end of a container, with or without a monitor.
fn end(stopping: Stopping, container: &Container) -> Result<(), Error> {
    match stopping.finish(container) {
        // It has ended by itself.
        Err(Error::Path(_) | Error::MonitorDied | Error::Step { .. }) if container.status != Status::Orphaned => Ok(()),
        other => other.map(drop),
    }
}
