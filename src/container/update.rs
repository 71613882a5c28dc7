//! Changing a container's limits and its restart rule.

use super::control::{refuse, tell};
use super::{Container, Error, remove};
use crate::monitor::Status;
use crate::monitor::protocol::Ask;
use crate::plan::Changes;

/// Changes limits and restart rule of a container: all that is named, or nothing. `inspect` shows it, and it is for
/// every later start.
///
/// While its monitor lives that does it, in the kernel and in the container's directory. Fails if it does not go
/// together, or if the kernel refuses a limit; nothing has changed then.
pub(crate) fn update(container: &Container, changes: &Changes) -> Result<(), Error> {
    match container.status {
        Status::Running | Status::Paused | Status::Stopping | Status::Restarting => {
            tell(container, &Ask::Update(Box::new(changes.clone())))
        }
        Status::Created | Status::Exited => {
            let lock = remove::take_lock(&container.directory, &container.config.name)?;
            if lock.is_none() {
                return Err(Error::NotFound(container.config.name.to_string()));
            }
            // Another command may have changed them since we looked.
            let config = container.directory.config()?;
            Ok(container.directory.write_updated(&config.changed_by(changes)?)?)
        }
        Status::Starting | Status::Removing | Status::Orphaned => Err(refuse(container, "update")),
    }
}
