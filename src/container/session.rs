//! A front end's connection to a program: its streams, its terminal, its signals and its exit code.
//!
//! `start`, `attach` and `exec` return one. It moves nothing by itself; that is up to the front end. The command line
//! connects it with its standard descriptors and its signals (`crate::console`).

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use super::Error;
use super::changed::Seen;
use super::client::answer;
use crate::monitor::protocol::{self, Ask, Event};
use crate::sys::process::Child;
use crate::sys::tty;
use crate::types::{DetachKeys, Signal};

/// The connection. It is readable when there is an [`event`](Self::event).
#[derive(Debug)]
pub(crate) struct Session {
    /// The connection to the monitor.
    pub(super) socket: OwnedFd,
    /// The container as it was when the command connected, if it ran already.
    pub(super) seen: Option<Seen>,
    /// The program's input, which ends when this is closed.
    pub(crate) stdin: Option<OwnedFd>,
    /// The program's output, or its terminal's.
    pub(crate) stdout: Option<OwnedFd>,
    /// The program's standard error.
    pub(crate) stderr: Option<OwnedFd>,
    /// The program has a terminal.
    pub(crate) terminal: Option<Terminal>,
    /// What the program notices when its output is no longer read.
    pub(super) unread: Unread,
    /// The monitor, if this process must wait for its end.
    pub(super) monitor: Option<Child>,
}

/// A program's terminal.
#[derive(Debug)]
pub(crate) struct Terminal {
    /// Its controlling side, if this process has it (exec); otherwise the monitor has it.
    pub(super) master: Option<OwnedFd>,
    /// The keys that detach from it.
    pub(crate) detach_keys: DetachKeys,
}

/// What a program notices when the session no longer reads its output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unread {
    /// Nothing: its output is logged, or other clients may read it.
    Nothing,
    /// The end of its reader, as with any pipe: the session has the only reading end.
    Pipe,
    /// The same, but the monitor has the reading end, and must be told.
    MonitorsPipe,
}

/// A message of the monitor in a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SessionEvent {
    /// The program has ended. All of its output is in the pipes; a terminal may still have some.
    Exited {
        /// Its exit code.
        code: i32,
        /// Bytes of its output that are lost, because the session did not read in time.
        missed: u64,
    },
    /// A signal was passed on. The monitor answers each one, unless the program has ended.
    Signalled,
    /// Nothing that concerns a session.
    Other,
}

impl Session {
    /// Waits for the monitor's next message.
    ///
    /// Fails with the monitor's report if the program could not be started, and with `MonitorDied` if the monitor was
    /// killed.
    pub(crate) fn event(&self) -> Result<SessionEvent, Error> {
        let heard = answer(&self.socket).map_err(|error| match &self.seen {
            Some(seen) => seen.explain(error),
            None => error,
        });
        Ok(match heard?.0 {
            Event::Exited { code, missed } => SessionEvent::Exited { code, missed },
            // Signals are the only requests here with this answer.
            Event::Done => SessionEvent::Signalled,
            _ => SessionEvent::Other,
        })
    }

    /// Sends a signal to the program.
    pub(crate) fn signal(&self, signal: Signal) {
        self.tell(&Ask::Signal { signal });
    }

    /// Sets the size of the program's terminal, if it has one.
    pub(crate) fn resize(&self, rows: u16, columns: u16) {
        match &self.terminal {
            Some(Terminal { master: Some(master), .. }) => drop(tty::set_size(master, rows, columns)),
            Some(Terminal { master: None, .. }) => self.tell(&Ask::Resize { rows, columns }),
            None => {}
        }
    }

    /// Detaches from the program. The monitor closes its ends of the pipes when the session is dropped.
    pub(crate) fn detach(&self) {
        self.tell(&Ask::Detach);
    }

    /// The caller stops reading the program's output, or with `stderr` its errors, and closes that pipe. Returns
    /// whether the program notices. If it does not, it just continues, and the caller need not wait for a reaction.
    pub(crate) fn close_output(&self, stderr: bool) -> bool {
        if self.unread == Unread::MonitorsPipe {
            self.tell(&Ask::CloseOutput { stderr });
        }
        self.unread != Unread::Nothing
    }

    /// Ends the session after the end of the program. Waits for the end of the monitor, too, if that would otherwise be
    /// killed before it has cleaned up.
    pub(crate) fn finish(mut self) {
        let monitor = self.monitor.take();
        drop(self);
        if let Some(monitor) = monitor {
            drop(monitor.wait());
        }
    }

    /// Ends the session after the end of the program, and returns the monitor if this process must wait for its end
    /// some time.
    pub(crate) fn leave(mut self) -> Option<Child> {
        self.monitor.take()
    }

    fn tell(&self, request: &Ask) {
        // If the monitor has ended, the socket tells.
        drop(protocol::send(self.socket.as_fd(), request, &[]));
    }
}

impl AsFd for Session {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}
