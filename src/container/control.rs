//! Signals, pause, unpause and stop: the monitor carries them out. Each is a request and, later, the wait for its
//! result, so that a command can send a request to each of several containers before it waits for the first.

use std::os::fd::OwnedFd;

use super::client::{Asked, ask, connect, exit_code, request};
use super::{Container, Error, ending, lock};
use crate::monitor::protocol::Ask;
use crate::monitor::{ExitRecord, Run, Status};
use crate::plan::RestartPolicy;
use crate::types::Signal;

/// Sends `signal` to the container's program.
///
/// Fails if it does not run.
pub(crate) fn signal(container: &Container, signal: Signal) -> Result<Asked, Error> {
    const ACTION: &str = "send a signal to";
    match container.status {
        Status::Running | Status::Paused | Status::Stopping | Status::Restarting => {
            request(container, ACTION, &Ask::Signal { signal })
        }
        Status::Orphaned if signal == Signal::KILL => ending::kill_orphan(container).map(|()| Asked::done()),
        _ => Err(container.cannot(ACTION)),
    }
}

/// Freezes all processes of the container.
///
/// Fails if it does not run, or has no cgroup.
pub(crate) fn pause(container: &Container) -> Result<Asked, Error> {
    switch(container, Status::Running, "pause", &Ask::Pause)
}

/// Lets the processes of a paused container run again.
pub(crate) fn unpause(container: &Container) -> Result<Asked, Error> {
    switch(container, Status::Paused, "unpause", &Ask::Unpause)
}

fn switch(container: &Container, from: Status, action: &'static str, asked: &Ask) -> Result<Asked, Error> {
    if container.status != from {
        return Err(container.cannot(action));
    }
    Ok(request(container, action, asked)?.or(format!("cannot {action} `{}`", container.config.name)))
}

/// A container's end that was requested.
#[derive(Debug)]
#[must_use = "the container may not have ended yet"]
pub(crate) struct Stopping {
    /// The connection on which the monitor reports the end; `None` if there is no monitor to ask.
    asked: Option<Result<OwnedFd, Error>>,
}

/// Begins to stop the container.
///
/// Its monitor kills the program `timeout` seconds after `signal`; the defaults of both are the container's own.
pub(crate) fn stop(container: &Container, signal: Option<Signal>, timeout: Option<u32>) -> Stopping {
    let has_monitor = container.is_running() && container.status != Status::Orphaned;
    Stopping { asked: has_monitor.then(|| ask_for_end(container, &Ask::Stop { signal, timeout })) }
}

/// Begins to end a container that is initialized. The end fails with the monitor's refusal if another command has begun
/// to start it.
pub(crate) fn undo(container: &Container) -> Stopping {
    Stopping { asked: Some(ask_for_end(container, &Ask::Undo)) }
}

fn ask_for_end(container: &Container, how: &Ask) -> Result<OwnedFd, Error> {
    let socket = connect(container)?;
    ask(&socket, how, &[])?;
    ask(&socket, &Ask::Wait, &[])?;
    Ok(socket)
}

impl Stopping {
    /// Waits until the program of `container`, the one that was asked, has ended, and returns the exit code; `None` if
    /// it did not run. A container that had already ended is marked as stopped by the user, if its restart policy
    /// depends on that. An orphan is killed.
    pub(crate) fn finish(self, container: &Container) -> Result<Option<i32>, Error> {
        let Some(asked) = self.asked else {
            return if container.status == Status::Orphaned {
                ending::kill_orphan(container).map(|()| Some(137))
            } else {
                mark_stopped(container).map(|()| None)
            };
        };
        match asked.and_then(|socket| exit_code(&socket)) {
            // The monitor was killed or has ended meanwhile: the records tell what is left.
            Err(Error::MonitorDied | Error::Step { .. }) => {
                // If there are none, the container has removed itself.
                let Ok(now) = Container::read(container.directory.clone()) else { return Ok(None) };
                match now.status {
                    Status::Orphaned => ending::kill_orphan(&now).map(|()| Some(137)),
                    _ if now.is_running() => Err(now.cannot("stop")),
                    _ => Ok(now.state.exit.map(|exit| exit.code)),
                }
            }
            other => other.map(Some),
        }
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
