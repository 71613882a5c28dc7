//! Waits until a container has ended or is in some other state.
//!
//! The monitor reports the end. The directory shows other states: inotify(7) sees that `state.json` is replaced and
//! `exit` is written. A change without a file, such as a lock that the monitor's death has freed, is seen at the next
//! check.

use std::os::fd::{AsFd as _, OwnedFd};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::inotify::{self, CreateFlags, WatchFlags};
use rustix::io::Errno;

use super::client::{ask, connect, exit_code};
use super::ending::wait_for_end;
use super::{Container, Error};
use crate::monitor::protocol::Ask;
use crate::monitor::{ContainerDir, HealthStatus, Status};
use crate::sys::process;

/// The code if the container has not ended. Source: podman, `WaitForConditionWithInterval`.
const NO_CODE: i32 = -1;

/// How soon a wait for another process looks again, in case that the directory cannot be watched, or the lock has
/// another holder by now.
pub(super) const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// What a command waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Condition {
    /// The container has this status.
    Status(Status),
    /// It is as healthy as that.
    Health(HealthStatus),
}

impl Condition {
    /// The end, for which no condition stands, too.
    const END: Self = Self::Status(Status::Exited);

    fn is_true_of(self, container: &Container) -> bool {
        match self {
            Self::Status(status) => container.status == status,
            Self::Health(health) => {
                container.is_running() && container.state.health.as_ref().is_some_and(|it| it.status == health)
            }
        }
    }
}

/// A wait that has begun: the monitor knows of it, so that no end is missed while the command waits for others.
#[derive(Debug)]
pub(crate) struct Waiting {
    container: Container,
    states: Vec<Condition>,
    interval: Duration,
    /// The connection on which the monitor reports the end, if it could be reached.
    asked: Option<OwnedFd>,
}

/// Waits while another process starts the container, and returns it as it is then. A pod that is being stopped is
/// awaited, too: who needs it starts it again. So is what a monitor has not recorded yet: that the program has ended,
/// or, right after another monitor was killed, that the program is being started again.
pub(crate) fn wait_for_start(mut container: Container) -> Result<Container, Error> {
    let is_pod = container.config.sandbox.is_some();
    let changes = |container: &Container| {
        let is_stopping = container.status == Status::Stopping && is_pod;
        container.status == Status::Starting || is_stopping || container.has_lost_its_program()
    };
    if !changes(&container) {
        return Ok(container);
    }
    // Before the record is read, so that no change of it is missed.
    let watch = watch(&container.directory).ok();
    loop {
        container = container.again()?;
        if !changes(&container) {
            return Ok(container);
        }
        let monitor = container.monitor.and_then(|pid| process::open_pidfd(pid).ok());
        sleep(watch.as_ref(), monitor.as_ref(), LOOK_AGAIN)?;
    }
}

/// Begins to wait until one of these is true of the container; none is as `exited`.
///
/// A program that is restarted has ended, too, as with docker and podman. rc checks other states when the directory
/// changes, and after each `interval` at the latest.
pub(crate) fn wait_for(container: Container, states: &[Condition], interval: Duration) -> Waiting {
    let is_for_end = states.iter().all(|state| *state == Condition::END);
    let has_monitor = container.is_running() && container.status != Status::Orphaned;
    let asked = if is_for_end && has_monitor { ask_for_end(&container).ok() } else { None };
    Waiting { container, states: states.to_vec(), interval, asked }
}

fn ask_for_end(container: &Container) -> Result<OwnedFd, Error> {
    let socket = connect(container)?;
    ask(&socket, &Ask::Wait, &[])?;
    Ok(socket)
}

impl Waiting {
    /// Waits, and returns the container's exit code if it has ended, otherwise -1. Fails with `NotFound` if the
    /// container is removed.
    pub(crate) fn finish(self) -> Result<i32, Error> {
        let Self { container, states, interval, asked } = self;
        match asked {
            Some(socket) => code_of(&container, exit_code(&socket)),
            None if states.iter().all(|state| *state == Condition::END) => wait(&container),
            None => wait_for_state(&container, &states, interval),
        }
    }
}

/// Waits until the container's program has ended, and returns its exit code.
fn wait(container: &Container) -> Result<i32, Error> {
    if container.status == Status::Orphaned
        && let Some(init) = &container.state.init
        && let Ok(pidfd) = process::open_pidfd(init.pid)
        && init.is_alive()
    {
        wait_for_end(pidfd.as_fd())?;
        return Ok(137);
    }
    if !container.is_running() {
        return Ok(container.state.exit.as_ref().map_or(0, |exit| exit.code));
    }
    code_of(container, ask_for_end(container).and_then(|socket| exit_code(&socket)))
}

/// The exit code that the monitor has sent, or that is recorded.
fn code_of(container: &Container, sent: Result<i32, Error>) -> Result<i32, Error> {
    match sent {
        // It ended before rc could ask, or the monitor was killed: the record has the code.
        Err(Error::MonitorDied | Error::Step { .. }) => {
            let now = container.again()?;
            match now.state.exit {
                Some(exit) => Ok(exit.code),
                // What was initialized, or was being started, is as before: it has never run.
                None if now.status == Status::Created && now.state.run < container.state.run => Ok(0),
                None => Err(Error::MonitorDied),
            }
        }
        other => other,
    }
}

fn wait_for_state(container: &Container, states: &[Condition], interval: Duration) -> Result<i32, Error> {
    let is_for_health = states.iter().all(|state| matches!(state, Condition::Health(_)));
    if is_for_health && container.config.healthcheck.is_none() {
        return Err(Error::NotChecked(container.config.name.to_string()));
    }
    // Before the first check, so that no change is missed. If there are too many watches, the interval must do.
    let watch = watch(&container.directory).ok();
    loop {
        let now = container.again()?;
        if states.iter().any(|state| state.is_true_of(&now)) {
            let code = now.state.exit.filter(|_| now.status == Status::Exited).map(|exit| exit.code);
            return Ok(code.unwrap_or(NO_CODE));
        }
        if is_for_health && now.status == Status::Exited {
            // Its health does not change any more.
            return Err(now.cannot("wait for the health of"));
        }
        sleep(watch.as_ref(), None, interval)?;
    }
}

/// Watches the directory for replaced files, and the exit record for writes; writes to the log do not count.
pub(super) fn watch(directory: &ContainerDir) -> Result<OwnedFd, Errno> {
    let watch = inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK)?;
    inotify::add_watch(&watch, directory.path(), WatchFlags::MOVED_TO | WatchFlags::MOVE_SELF)?;
    match inotify::add_watch(&watch, directory.at("exit"), WatchFlags::MODIFY) {
        // How a container ends that is removed then is not recorded.
        Ok(_) | Err(Errno::NOENT) => {}
        Err(error) => return Err(error),
    }
    Ok(watch)
}

/// Returns when the directory has changed, when the process of a pidfd has ended, or after `interval`, and consumes the
/// changes.
pub(super) fn sleep(watch: Option<&OwnedFd>, process: Option<&OwnedFd>, interval: Duration) -> Result<(), Error> {
    let awaited = watch.iter().chain(process.iter());
    let mut set: Vec<_> = awaited.map(|fd| PollFd::from_borrowed_fd(fd.as_fd(), PollFlags::IN)).collect();
    let interval = Timespec::try_from(interval).unwrap_or(Timespec { tv_sec: i64::MAX, tv_nsec: 0 });
    match poll(&mut set, Some(&interval)) {
        Ok(_) | Err(Errno::INTR) => {}
        Err(error) => return Err(Error::step("wait for a change of the container")(error.into())),
    }
    let mut events = [0; 4096];
    // An error means that no event is left.
    while watch.is_some_and(|watch| rustix::io::read(watch, &mut events).is_ok_and(|length| length > 0)) {}
    Ok(())
}
