//! Starts that fail: what exists keeps the reason until its next start, for `inspect` and `why`.

use super::{Container, Error, lock};
use crate::monitor::{ContainerDir, Run, Status};
use crate::types::Name;

/// How many characters of a reason are kept.
const LIMIT: usize = 1000;

/// Keeps why a start has failed, if the container is there and `last`, its last run before this start, still is its
/// last: a later one is somebody else's, whose reasons count.
pub(super) fn keep(directory: &ContainerDir, name: &Name, last: &Run, error: &Error) {
    if matches!(error, Error::Interrupted(_)) {
        return;
    }
    // Its monitor has told the reason and is about to end.
    let Ok(Some(_lock)) = lock::take(directory, name) else { return };
    let is_idle = |container: Container| matches!(container.status, Status::Created | Status::Exited);
    if !Container::read(directory.clone()).is_ok_and(is_idle) {
        return;
    }
    if let Ok(mut state) = directory.state()
        && state.run == last.0
    {
        state.start_error = error.to_string().chars().take(LIMIT).collect();
        // If that fails, the caller tells the reason all the same.
        drop(directory.write_state(&state));
    }
}
