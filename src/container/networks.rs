//! Changing the networks that a container is in.

use super::client::request;
use super::{Container, Error, lock};
use crate::monitor::Status;
use crate::monitor::protocol::Ask;
use crate::plan::NetworkChange;

/// Changes the networks of a container; `inspect` shows the change, and it holds for every later start.
///
/// If the monitor lives, it makes the change, in the container and in its directory. On failure nothing has changed.
pub(crate) fn change_networks(container: &Container, change: &NetworkChange) -> Result<(), Error> {
    const ACTION: &str = "change the networks of";
    match container.status {
        Status::Running | Status::Paused | Status::Stopping | Status::Restarting => {
            request(container, ACTION, &Ask::Network(Box::new(change.clone())))?.finish()
        }
        Status::Created | Status::Exited => {
            let lock = match lock::take(&container.directory, &container.config.name) {
                // It was started meanwhile.
                Err(Error::Busy { .. }) => return change_networks(&container.again()?, change),
                other => other?,
            };
            if lock.is_none() {
                return Err(container.not_found());
            }
            // Another command may have changed them meanwhile.
            let config = container.directory.config()?;
            Ok(container.directory.write_updated(&config.reconnected(change)?)?)
        }
        Status::Starting | Status::Initialized | Status::Removing | Status::Orphaned => Err(container.cannot(ACTION)),
    }
}
