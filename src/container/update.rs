//! Changing a container's limits and its restart policy.

use super::client::request;
use super::{Container, Error, lock};
use crate::monitor::Status;
use crate::monitor::protocol::Ask;
use crate::plan::Changes;

/// Changes limits, restart policy and environment of a container: everything that `changes` names, or nothing.
/// `inspect` shows the changes, and they hold for every later start.
///
/// If the monitor lives, it makes the changes, in the kernel and in the container's directory. Fails if the limits
/// contradict each other, or if the kernel refuses one; nothing has changed then.
pub(crate) fn update(container: &Container, changes: &Changes) -> Result<(), Error> {
    const ACTION: &str = "update";
    match container.status {
        Status::Running | Status::Paused | Status::Stopping | Status::Restarting => {
            request(container, ACTION, &Ask::Update(Box::new(changes.clone())))?.finish()
        }
        Status::Created | Status::Exited => {
            let lock = match lock::take(&container.directory, &container.config.name) {
                // It was started meanwhile.
                Err(Error::Busy { .. }) => return update(&container.again()?, changes),
                other => other?,
            };
            if lock.is_none() {
                return Err(container.not_found());
            }
            // Another command may have changed them meanwhile.
            let config = container.directory.config()?;
            Ok(container.directory.write_updated(&config.changed_by(changes)?)?)
        }
        Status::Starting | Status::Initialized | Status::Removing | Status::Orphaned => Err(container.cannot(ACTION)),
    }
}
