//! Asking a container's monitor.

use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{Mode, OFlags};

use super::{Container, Error, remove};
use crate::monitor::protocol::{self, Ask, Event};
use crate::monitor::{ContainerDir, ExitRecord, Run, Status};
use crate::plan::RestartPolicy;
use crate::sys::socket;
use crate::types::Signal;

/// Connects to the monitor of a running container.
pub(super) fn connect(container: &Container) -> Result<OwnedFd, Error> {
    connect_in(&container.directory)
}

/// Connects to the monitor that listens in a container's directory.
pub(super) fn connect_in(directory: &ContainerDir) -> Result<OwnedFd, Error> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let directory = rustix::fs::open(directory.path(), flags, Mode::empty())
        .map_err(|error| Error::step("open the container's directory")(error.into()))?;
    socket::connect_at(directory.as_fd(), "ctl").map_err(Error::step("reach the container's monitor"))
}

pub(super) fn ask(socket: &OwnedFd, request: &Ask, descriptors: &[BorrowedFd<'_>]) -> Result<(), Error> {
    protocol::send(socket.as_fd(), request, descriptors).map_err(Error::step("ask the container's monitor"))
}

/// The monitor's next word; `MonitorDied` if there is none.
pub(super) fn answer(socket: &OwnedFd) -> Result<(Event, Vec<OwnedFd>), Error> {
    match protocol::receive::<Event>(socket).map_err(Error::step("hear from the container's monitor"))? {
        Some((Event::Failed(report), _)) => Err(Error::Told(report)),
        Some(event) => Ok(event),
        None => Err(Error::MonitorDied),
    }
}

pub(super) fn refuse(container: &Container, action: &'static str) -> Error {
    Error::State { action, name: container.config.name.to_string(), status: container.status }
}

/// Sends `signal` to the container's program.
///
/// Fails if it does not run.
pub(crate) fn signal(container: &Container, signal: Signal) -> Result<(), Error> {
    match container.status {
        Status::Running | Status::Paused | Status::Stopping | Status::Restarting => {
            tell(container, &Ask::Signal { signal })
        }
        Status::Orphaned if signal == Signal::KILL => remove::kill_orphan(container),
        _ => Err(refuse(container, "send a signal to")),
    }
}

/// Stops all processes of the container where they are.
///
/// Fails if it does not run, or has no cgroup.
pub(crate) fn pause(container: &Container) -> Result<(), Error> {
    switch(container, Status::Running, "pause", &Ask::Pause)
}

/// Lets the processes of a paused container go on.
pub(crate) fn unpause(container: &Container) -> Result<(), Error> {
    switch(container, Status::Paused, "unpause", &Ask::Unpause)
}

fn switch(container: &Container, from: Status, action: &'static str, request: &Ask) -> Result<(), Error> {
    if container.status != from {
        return Err(refuse(container, action));
    }
    tell(container, request).map_err(|error| match error {
        Error::Told(report) => {
            let message = format!("cannot {action} `{}`: {}", container.config.name, report.message);
            Error::Told(report.with_message(message))
        }
        other => other,
    })
}

/// Asks the monitor for something that it has done when it answers.
pub(super) fn tell(container: &Container, request: &Ask) -> Result<(), Error> {
    let socket = connect(container)?;
    ask(&socket, request, &[])?;
    answer(&socket).map(drop)
}

/// Stops the container, and waits until its program has ended; its exit code, `None` if it did not run.
///
/// `timeout` seconds after `signal` it is killed; both are the container's own unless given. One that has ended is
/// marked as stopped by the user, if its restart rule asks for that.
pub(crate) fn stop(container: &Container, signal: Option<Signal>, timeout: Option<u32>) -> Result<Option<i32>, Error> {
    match container.status {
        Status::Orphaned => {
            remove::kill_orphan(container)?;
            return Ok(Some(137));
        }
        _ if !container.is_running() => {
            keep_stopped(container)?;
            return Ok(None);
        }
        _ => {}
    }
    match stop_running(container, signal, timeout) {
        // The monitor was killed, or has ended, while we spoke to it: what is left is looked at anew.
        Err(Error::MonitorDied | Error::Step { .. }) => {
            // Not there any more: it has removed itself.
            let Ok(now) = Container::read(container.directory.clone()) else { return Ok(None) };
            match now.status {
                Status::Orphaned => {
                    remove::kill_orphan(&now)?;
                    Ok(Some(137))
                }
                _ if now.is_running() => Err(refuse(&now, "stop")),
                _ => Ok(now.state.exit.map(|exit| exit.code)),
            }
        }
        other => other,
    }
}

/// Records that a container which has ended is to stay so, where its rule asks who ended it: a boot starts it no more.
fn keep_stopped(container: &Container) -> Result<(), Error> {
    let Some(exit) = &container.state.exit else { return Ok(()) };
    if container.config.restart != RestartPolicy::UnlessStopped || exit.stopped_by_user {
        return Ok(());
    }
    // Of a container that has gone meanwhile nothing is left to be told.
    let Some(_lock) = remove::take_lock(&container.directory, &container.config.name)? else { return Ok(()) };
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
    loop {
        if let (Event::Exited { code, .. }, _) = answer(&socket)? {
            return Ok(Some(code));
        }
    }
}

/// Waits for a descriptor to be readable: a pidfd, when its process has ended.
pub(super) fn wait_until_readable(fd: BorrowedFd<'_>) -> Result<(), Error> {
    loop {
        match poll(&mut [PollFd::from_borrowed_fd(fd, PollFlags::IN)], None::<&Timespec>) {
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(Error::step("wait for a process")(error.into())),
            Ok(_) => return Ok(()),
        }
    }
}
