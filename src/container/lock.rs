//! The lock of a container that does not run: who has it may change its records, start it, or remove it.

use super::wait::{LOOK_AGAIN, sleep, watch};
use super::{Container, Error};
use crate::monitor::ContainerDir;
use crate::sys::lock::ProcessLock;
use crate::sys::process::open_pidfd;
use crate::types::Name;

/// Takes the lock of a container whose monitor has ended or is about to; `None` if the container was removed.
///
/// Fails with `Busy` if another process has started the container meanwhile.
pub(super) fn take(directory: &ContainerDir, name: &Name) -> Result<Option<ProcessLock>, Error> {
    let mut changes = None;
    loop {
        match ProcessLock::acquire(directory.at("lock")) {
            Ok(Ok(lock)) => return Ok(Some(lock)),
            Ok(Err(pid)) => match (open_pidfd(pid), Container::read(directory.clone())) {
                // The kernel is asked, too: a monitor that cannot record the end of its program is about to end.
                (Ok(_), Ok(container)) if container.is_running() && !container.has_lost_its_program() => {
                    return Err(Error::Busy { name: name.to_string(), pid });
                }
                // The program has ended, so the monitor is about to; or the monitor has just begun, and records that in
                // a moment: from now on that is seen.
                (Ok(_), _) if changes.is_none() => changes = Some(watch(directory).ok()),
                (Ok(monitor), _) => sleep(changes.as_ref().and_then(Option::as_ref), Some(&monitor), LOOK_AGAIN)?,
                (Err(_), _) => {}
            },
            Err(error) if error.is_not_found() => return Ok(None),
            Err(error) => return Err(error.into()),
        }
    }
}
