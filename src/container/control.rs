//! Signals, pause, unpause and stop: the monitor carries them out.

use super::client::{ask, connect, exit_code, request};
use super::{Container, Error, ending, lock};
use crate::monitor::protocol::Ask;
use crate::monitor::{ExitRecord, Run, Status};
use crate::plan::RestartPolicy;
use crate::types::Signal;

/// Sends `signal` to the container's program.
///
/// Fails if it does not run.
pub(crate) fn signal(container: &Container, signal: Signal) -> Result<(), Error> {
    match container.status {
        Status::Running | Status::Paused | Status::Stopping | Status::Restarting => {
            request(container, &Ask::Signal { signal })
        }
        Status::Orphaned if signal == Signal::KILL => ending::kill_orphan(container),
        _ => Err(container.cannot("send a signal to")),
    }
}

/// Freezes all processes of the container.
///
/// Fails if it does not run, or has no cgroup.
pub(crate) fn pause(container: &Container) -> Result<(), Error> {
    switch(container, Status::Running, "pause", &Ask::Pause)
}

/// Lets the processes of a paused container run again.
pub(crate) fn unpause(container: &Container) -> Result<(), Error> {
    switch(container, Status::Paused, "unpause", &Ask::Unpause)
}

fn switch(container: &Container, from: Status, action: &'static str, asked: &Ask) -> Result<(), Error> {
    if container.status != from {
        return Err(container.cannot(action));
    }
    request(container, asked).map_err(|error| match error {
        Error::Told(report) => {
            let message = format!("cannot {action} `{}`: {}", container.config.name, report.message);
            Error::Told(report.with_message(message))
        }
        other => other,
    })
}

/// Stops the container, waits until its program has ended, and returns the exit code; `None` if it did not run.
///
/// rc kills the program `timeout` seconds after `signal`; the defaults of both are the container's own. A container
/// that has already ended is marked as stopped by the user, if its restart policy depends on that.
pub(crate) fn stop(container: &Container, signal: Option<Signal>, timeout: Option<u32>) -> Result<Option<i32>, Error> {
    match container.status {
        Status::Orphaned => {
            ending::kill_orphan(container)?;
            return Ok(Some(137));
        }
        _ if !container.is_running() => {
            mark_stopped(container)?;
            return Ok(None);
        }
        _ => {}
    }
    match stop_running(container, signal, timeout) {
        // The monitor was killed or has ended meanwhile: the records tell what is left.
        Err(Error::MonitorDied | Error::Step { .. }) => {
            // If there are none, the container has removed itself.
            let Ok(now) = Container::read(container.directory.clone()) else { return Ok(None) };
            match now.status {
                Status::Orphaned => {
                    ending::kill_orphan(&now)?;
                    Ok(Some(137))
                }
                _ if now.is_running() => Err(now.cannot("stop")),
                _ => Ok(now.state.exit.map(|exit| exit.code)),
            }
        }
        other => other,
    }
}

/// Records that the user has stopped a container that has already ended, if its restart policy depends on that: then
/// the next boot does not start it.
fn mark_stopped(container: &Container) -> Result<(), Error> {
    let Some(exit) = &container.state.exit else { return Ok(()) };
    if container.config.restart != RestartPolicy::UnlessStopped || exit.stopped_by_user {
        return Ok(());
    }
    // A container that was removed meanwhile needs no mark.
    let Some(_lock) = lock::take(&container.directory, &container.config.name)? else { return Ok(()) };
    if container.directory.state()?.run != container.state.run {
        // It was started, and has ended again since.
        return Ok(());
    }
    let record = ExitRecord { stopped_by_user: true, restarts: false, ..exit.clone() };
    Ok(container.directory.write_exit(&Run(container.state.run), &record)?)
}

fn stop_running(container: &Container, signal: Option<Signal>, timeout: Option<u32>) -> Result<Option<i32>, Error> {
    let socket = connect(container)?;
    ask(&socket, &Ask::Stop { signal, timeout }, &[])?;
    ask(&socket, &Ask::Wait, &[])?;
    exit_code(&socket).map(Some)
}
