//! What the service manager behind a start is told of it, and how the monitor becomes the main process of the unit.

use std::io;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::pipe::PipeFlags;

use super::Error;
use super::client::answer;
use super::manager::Manager;
use crate::monitor::protocol::Event;
use crate::monitor::{ContainerDir, send_waiting};
use crate::plan::{ContainerConfig, Sdnotify};
use crate::sys::datagram::Sender;
use crate::sys::fs;

/// How long a manager may take to act on a message.
const PATIENCE: Timespec = Timespec { tv_sec: 5, tv_nsec: 0 };

/// A start, as the service manager sees it.
#[derive(Debug)]
pub(super) struct Service {
    /// The manager, if it is told anything.
    manager: Option<Sender>,
    mode: Sdnotify,
    /// The container's directory, whose lock tells of the monitor.
    directory: ContainerDir,
    is_detached: bool,
}

impl Service {
    /// Connects to the manager, if it is told anything; before the start, so that a manager that does not answer fails
    /// it.
    pub(super) fn of(
        manager: &Manager,
        config: &ContainerConfig,
        directory: &ContainerDir,
        is_detached: bool,
    ) -> Result<Self, Error> {
        let manager = manager.connect(config).map_err(Error::NoManager)?;
        Ok(Self { manager, mode: config.service.sdnotify, directory: directory.clone(), is_detached })
    }

    /// Whether the manager is told that the monitor is the main process: it outlives the caller.
    pub(super) fn becomes_main(&self) -> bool {
        self.manager.is_some() && self.is_detached
    }

    /// The connection to the manager, which the monitor closes.
    pub(super) fn fd(&self) -> Option<BorrowedFd<'_>> {
        self.manager.as_ref().map(Sender::as_fd)
    }

    /// Says that the program runs: `MAINPID`, where the monitor outlives this process, and `READY`, where rc says so.
    ///
    /// The monitor is the main process then: it ends last, and as the program did. Source: podman-run(1), `--sdnotify`.
    pub(super) fn tell_started(&self) -> Result<(), Error> {
        let Some(manager) = &self.manager else { return Ok(()) };
        // It may have ended by now, and with it the service.
        let main = if self.becomes_main() { self.monitor()? } else { None };
        let ready = (self.mode == Sdnotify::Conmon).then(|| "READY=1".to_owned());
        let lines: Vec<_> = main.map(|pid| format!("MAINPID={pid}")).into_iter().chain(ready).collect();
        if lines.is_empty() {
            return Ok(());
        }
        let told = send_waiting(manager, lines.join("\n").as_bytes());
        told.map(drop).map_err(Error::step("tell the service manager of the start"))
    }

    /// Ends this process' time as the main process of its unit. A monitor that ended before the manager has looked at
    /// it did not become the main process: then the unit ends with this one, which has to end as the program did; gives
    /// its exit code.
    pub(super) fn hand_over(&self, monitor: &OwnedFd) -> Result<Option<i32>, Error> {
        if let Some(manager) = &self.manager {
            // A manager that does not answer leaves it at what is known now.
            drop(await_manager(manager));
        }
        if self.monitor()?.is_some() {
            return Ok(None);
        }
        loop {
            match answer(monitor) {
                Ok((Event::Exited { code, .. }, _)) => return Ok(Some(code)),
                Ok(_) => {}
                Err(Error::MonitorDied) => return Ok(None),
                Err(error) => return Err(error),
            }
        }
    }

    /// The pid of the monitor; `None` if it has ended, and removed the directory perhaps.
    fn monitor(&self) -> Result<Option<i32>, fs::PathError> {
        self.directory.holder().or_else(|error| if error.is_not_found() { Ok(None) } else { Err(error) })
    }
}

/// Waits until the manager has acted on what it was told before, 5 s at most: it closes the descriptor that comes with
/// this message. Source: sd_notify_barrier(3).
fn await_manager(manager: &Sender) -> io::Result<()> {
    let (ours, theirs) = rustix::pipe::pipe_with(PipeFlags::CLOEXEC)?;
    manager.send_descriptor(b"BARRIER=1", theirs.as_fd())?;
    drop(theirs);
    poll(&mut [PollFd::new(&ours, PollFlags::empty())], Some(&PATIENCE))?;
    Ok(())
}
