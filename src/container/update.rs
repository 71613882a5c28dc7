//! Changing a container's limits.

use super::control::{refuse, tell};
use super::{Container, Error, remove};
use crate::monitor::Status;
use crate::monitor::protocol::Request;
use crate::plan::LimitChanges;

/// Changes limits of a container: all of them, or none. `inspect` shows them, and every later start sets them.
///
/// While it runs its monitor does that, in the kernel and in the container's folder. Fails if they do not go together, or if
/// the kernel refuses one; nothing has changed then.
pub fn update(container: &Container, changes: &LimitChanges) -> Result<(), Error> {
    match container.status {
        Status::Running | Status::Paused | Status::Stopping => {
            tell(container, &Request::Update(Box::new(changes.clone())))
        }
        Status::Created | Status::Exited => {
            let lock = remove::take_lock(&container.folder, &container.config.name)?;
            if lock.is_none() {
                return Err(Error::NotFound(container.config.name.to_string()));
            }
            // Another command may have changed them since we looked.
            let config = container.folder.config()?;
            Ok(container.folder.write_limits(&config.limits.changed_by(changes)?)?)
        }
        Status::Starting | Status::Restarting | Status::Removing | Status::Orphaned => Err(refuse(container, "update")),
    }
}
