//! Starts the program of a container that is initialized: its process 1 waits, and its monitor lives.

use super::attach::attach_to;
use super::client::{ask, connect};
use super::first_word::await_start;
use super::front_end::{Attach, FrontEnd};
use super::{Container, Error, Started, failed_start};
use crate::monitor::Run;
use crate::monitor::protocol::{self, Ask, Event};

/// Has the program run, and returns when it does.
///
/// Fails with the error of the step that failed; the container is as before it was initialized then, and keeps the
/// reason until its next start.
pub(crate) fn begin(container: &Container, front_end: &FrontEnd<'_>) -> Result<Started, Error> {
    let begun = try_to_begin(container, front_end).map_err(|error| container.explain_begin(error));
    if let Err(error) = &begun {
        let last = Run(container.state.run.saturating_sub(1));
        failed_start::keep(&container.directory, &container.config.name, &last, error);
    }
    begun
}

/// [`begin`], which keeps the reason of a failure.
fn try_to_begin(container: &Container, front_end: &FrontEnd<'_>) -> Result<Started, Error> {
    let Attach::Yes { stdin } = front_end.attach else {
        let socket = connect(container)?;
        ask(&socket, &Ask::Begin, &[])?;
        return await_start(&socket, None).map(|()| Started::Detached);
    };
    let keys = container.config.detach_keys.parse().unwrap_or_default();
    let session = attach_to(container, stdin, front_end.size, keys)?;
    match protocol::receive::<Event>(&session.socket).map_err(Error::step("hear from the monitor"))? {
        Some((Event::Attached, _)) => {}
        Some((Event::Failed(report), _)) => return Err(Error::Told(report)),
        _ => return Err(Error::MonitorDied),
    }
    let mut signals =
        front_end.take_signals.as_ref().map(|take| take()).transpose().map_err(Error::step("block signals"))?;
    ask(&session.socket, &Ask::Begin, &[])?;
    await_start(&session.socket, signals.as_mut())?;
    Ok(Started::Joined { session, signals })
}
