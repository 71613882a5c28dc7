//! Tells the service manager of a start, and makes the monitor the main process of the unit.

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

/// How long the manager may take to act on a message.
const MANAGER_TIMEOUT: Timespec = Timespec { tv_sec: 5, tv_nsec: 0 };

/// A start, as the service manager sees it.
#[derive(Debug)]
pub(super) struct Service {
    /// The manager, if rc tells it anything.
    manager: Option<Sender>,
    mode: Sdnotify,
    /// The container's directory, whose lock the monitor holds.
    directory: ContainerDir,
    is_detached: bool,
}

impl Service {
    /// Connects to the manager, if rc tells it anything. This happens before the start, so that the start fails if the
    /// manager cannot be reached.
    pub(super) fn of(
        manager: &Manager,
        config: &ContainerConfig,
        directory: &ContainerDir,
        is_detached: bool,
    ) -> Result<Self, Error> {
        let manager = manager.connect(config).map_err(Error::NoManager)?;
        Ok(Self { manager, mode: config.service.sdnotify, directory: directory.clone(), is_detached })
    }

    /// Whether rc tells the manager that the monitor is the main process: it outlives the caller.
    pub(super) fn becomes_main(&self) -> bool {
        self.manager.is_some() && self.is_detached
    }

    /// The connection to the manager, which the monitor closes.
    pub(super) fn fd(&self) -> Option<BorrowedFd<'_>> {
        self.manager.as_ref().map(Sender::as_fd)
    }

    /// Says that the program runs: sends `MAINPID` if the monitor outlives this process, and `READY` if that is not
    /// left to the program.
    ///
    /// The monitor is the main process then: it ends last, with the program's exit code. Source: podman-run(1),
    /// `--sdnotify`.
    pub(super) fn tell_started(&self) -> Result<(), Error> {
        let Some(manager) = &self.manager else { return Ok(()) };
        // It may have ended already, and with it the service.
        let main = if self.becomes_main() { self.monitor()? } else { None };
        let ready = (self.mode == Sdnotify::Conmon).then(|| "READY=1".to_owned());
        let lines: Vec<_> = main.map(|pid| format!("MAINPID={pid}")).into_iter().chain(ready).collect();
        if lines.is_empty() {
            return Ok(());
        }
        let told = send_waiting(manager, lines.join("\n").as_bytes());
        told.map(drop).map_err(Error::step("tell the service manager of the start"))
    }

    /// Hands the role of the unit's main process over to the monitor. If the monitor ended before the manager had
    /// accepted it, the unit ends with this process: then this returns the program's exit code, with which this process
    /// must exit.
    pub(super) fn hand_over(&self, monitor: &OwnedFd) -> Result<Option<i32>, Error> {
        if let Some(manager) = &self.manager {
            // If the manager does not answer, the lock decides.
            drop(await_manager(manager));
        }
        if self.monitor()?.is_some() {
            return Ok(None);
        }
        let mut last = None;
        loop {
            match answer(monitor) {
                // One for each run, if the program was restarted.
                Ok((Event::Exited { code, .. }, _)) => last = Some(code),
                Ok(_) => {}
                Err(Error::MonitorDied) => return Ok(last),
                Err(error) => return Err(error),
            }
        }
    }

    /// The PID of the monitor; `None` if it has ended, and perhaps removed the directory.
    fn monitor(&self) -> Result<Option<i32>, fs::PathError> {
        self.directory.holder().or_else(|error| if error.is_not_found() { Ok(None) } else { Err(error) })
    }
}

/// Waits until the manager has acted on all earlier messages, 5 s at most: it closes the descriptor that comes with
/// this one. Source: sd_notify_barrier(3).
fn await_manager(manager: &Sender) -> io::Result<()> {
    let (ours, theirs) = rustix::pipe::pipe_with(PipeFlags::CLOEXEC)?;
    manager.send_descriptor(b"BARRIER=1", theirs.as_fd())?;
    drop(theirs);
    poll(&mut [PollFd::new(&ours, PollFlags::empty())], Some(&MANAGER_TIMEOUT))?;
    Ok(())
}
