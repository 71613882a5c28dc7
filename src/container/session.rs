//! A front end's connection to a program: its streams, its terminal, its signals, and the word of its end.
//!
//! `start`, `attach` and `exec` give one. It moves nothing by itself: a front end does, as it pleases. The command line
//! joins its standard descriptors and its signals (`crate::console`).

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use super::Error;
use super::client::answer;
use crate::monitor::protocol::{self, Ask, Event};
use crate::sys::process::Child;
use crate::sys::tty;
use crate::types::{DetachKeys, Signal};

/// The connection. It is readable when there is an [`event`](Self::event).
#[derive(Debug)]
pub(crate) struct Session {
    /// The way to the monitor.
    pub(super) socket: OwnedFd,
    /// What is written here is the program's input, which ends when this is closed.
    pub(crate) stdin: Option<OwnedFd>,
    /// The program's output, or its terminal's.
    pub(crate) stdout: Option<OwnedFd>,
    /// The program's errors.
    pub(crate) stderr: Option<OwnedFd>,
    /// The program has a terminal.
    pub(crate) terminal: Option<Terminal>,
    /// What the program sees of a reader that is gone.
    pub(super) unread: Unread,
    /// The monitor, if it is to be waited for at the end.
    pub(super) monitor: Option<Child>,
}

/// A program's terminal.
#[derive(Debug)]
pub(crate) struct Terminal {
    /// Its controlling side, if it is with us (exec); the monitor has it otherwise.
    pub(super) master: Option<OwnedFd>,
    /// The keys that leave it.
    pub(crate) detach_keys: DetachKeys,
}

/// What a program sees when nobody reads its output any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unread {
    /// Nothing: its output is kept, or others read it.
    Nothing,
    /// The end of its reader, as with any pipe: this is closed, and nobody else has it.
    Pipe,
    /// The same, but its pipe is the monitor's, which has to be told.
    MonitorsPipe,
}

/// What a monitor says in a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SessionEvent {
    /// The program has ended. What it wrote is in the pipes, and may still be on its way through a terminal.
    Exited {
        /// Its exit code.
        code: i32,
        /// Bytes of its output that never came, because nobody read.
        missed: u64,
    },
    /// A signal was passed on; each that comes in time is answered so.
    Signalled,
    /// Nothing that concerns this side.
    Other,
}

impl Session {
    /// The monitor's next word.
    ///
    /// Fails with what it said if the program could not be started, and with `MonitorDied` if it was killed.
    pub(crate) fn event(&self) -> Result<SessionEvent, Error> {
        Ok(match answer(&self.socket)?.0 {
            Event::Exited { code, missed } => SessionEvent::Exited { code, missed },
            // Nothing else is asked for here that is answered so.
            Event::Done => SessionEvent::Signalled,
            _ => SessionEvent::Other,
        })
    }

    /// Sends a signal to the program.
    pub(crate) fn signal(&self, signal: Signal) {
        self.tell(&Ask::Signal { signal });
    }

    /// Gives the program's terminal, if it has one, so many rows and columns.
    pub(crate) fn resize(&self, rows: u16, columns: u16) {
        match &self.terminal {
            Some(Terminal { master: Some(master), .. }) => drop(tty::set_size(master, rows, columns)),
            Some(Terminal { master: None, .. }) => self.tell(&Ask::Resize { rows, columns }),
            None => {}
        }
    }

    /// Leaves the program to itself. The monitor lets go of the pipes when the session is dropped.
    pub(crate) fn detach(&self) {
        self.tell(&Ask::Detach);
    }

    /// Nobody reads the program's output any more, or its errors, whose pipe the caller closes. Tells whether the
    /// program sees that; if not, it goes on, and nothing that it does about it is to be waited for.
    pub(crate) fn close_output(&self, stderr: bool) -> bool {
        if self.unread == Unread::MonitorsPipe {
            self.tell(&Ask::CloseOutput { stderr });
        }
        self.unread != Unread::Nothing
    }

    /// The program has ended: waits until its monitor has, too, where what it leaves to be removed would stay
    /// otherwise.
    pub(crate) fn finish(mut self) {
        let monitor = self.monitor.take();
        drop(self);
        if let Some(monitor) = monitor {
            drop(monitor.wait());
        }
    }

    fn tell(&self, request: &Ask) {
        // A monitor that has gone is noticed by its end of the socket.
        drop(protocol::send(self.socket.as_fd(), request, &[]));
    }
}

impl AsFd for Session {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}
