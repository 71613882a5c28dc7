//! The connection of a command to a container's monitor: requests and answers.

use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::time::Instant;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{Mode, OFlags};

use super::changed::Seen;
use super::{Container, Error};
use crate::monitor::ContainerDir;
use crate::monitor::protocol::{self, Ask, Event};
use crate::sys::socket;

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

/// Sends a request.
pub(super) fn ask(socket: &OwnedFd, request: &Ask, descriptors: &[BorrowedFd<'_>]) -> Result<(), Error> {
    protocol::send(socket.as_fd(), request, descriptors).map_err(Error::step("ask the container's monitor"))
}

/// Waits for the monitor's next message.
///
/// Fails with the monitor's report if it sends a failure, and with `MonitorDied` if it closes the connection.
pub(super) fn answer(socket: &OwnedFd) -> Result<(Event, Vec<OwnedFd>), Error> {
    match protocol::receive::<Event>(socket).map_err(Error::step("hear from the container's monitor"))? {
        Some((Event::Failed(report), _)) => Err(Error::Told(report)),
        Some(event) => Ok(event),
        None => Err(Error::MonitorDied),
    }
}

/// Waits until the monitor reports the end of the program, and returns its exit code.
pub(super) fn exit_code(socket: &OwnedFd) -> Result<i32, Error> {
    loop {
        if let (Event::Exited { code, .. }, _) = answer(socket)? {
            return Ok(code);
        }
    }
}

/// Sends a request that the monitor answers when it has carried it out. `action` is what it does, as an infinitive.
pub(super) fn request(container: &Container, action: &'static str, request: &Ask) -> Result<Asked, Error> {
    let asked = connect(container).and_then(|socket| ask(&socket, request, &[]).map(|()| socket));
    let seen = container.seen(action);
    let socket = asked.map_err(|error| seen.explain(error))?;
    Ok(Asked { request: Some((socket, seen)), failure: None })
}

/// A request that the monitor has not answered yet. With several of them under way, one thread changes several
/// containers side by side.
#[derive(Debug)]
#[must_use = "the request may fail"]
pub(crate) struct Asked {
    /// `None` if it was carried out without a monitor.
    request: Option<(OwnedFd, Seen)>,
    /// What comes before the monitor's reason if it fails.
    failure: Option<String>,
}

impl Asked {
    /// A request that is carried out.
    pub(super) fn done() -> Self {
        Self { request: None, failure: None }
    }

    /// Adds what comes before the monitor's reason if it fails: `cannot pause `web``.
    pub(super) fn or(self, failure: String) -> Self {
        Self { failure: Some(failure), ..self }
    }

    /// Waits until the monitor has answered, or until the deadline.
    pub(super) fn wait_until(&self, deadline: Instant) {
        let Some((socket, _)) = &self.request else { return };
        let poll_until = || {
            let left = Timespec::try_from(deadline.saturating_duration_since(Instant::now())).ok();
            poll(&mut [PollFd::new(socket, PollFlags::IN)], left.as_ref())
        };
        while poll_until() == Err(rustix::io::Errno::INTR) {}
    }

    /// Waits until the monitor has carried it out.
    pub(crate) fn finish(self) -> Result<(), Error> {
        let Some((socket, seen)) = self.request else { return Ok(()) };
        answer(&socket).map(drop).map_err(|error| match (seen.explain(error), self.failure) {
            (Error::Told(report), Some(failure)) => {
                let message = format!("{failure}: {}", report.message);
                Error::Told(report.with_message(message))
            }
            (error, _) => error,
        })
    }
}
