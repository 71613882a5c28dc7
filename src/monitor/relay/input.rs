//! From the clients to the program's standard input.

use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};

use rustix::event::PollFlags;

use super::client::Clients;
use super::inlet::{Fed, Inlet};

/// The program's standard input.
#[derive(Debug, Default)]
pub(super) struct Input {
    /// Towards the program; `None` if it has none, or takes no more.
    inlet: Option<Inlet>,
    /// Closed when a client's input ends: a terminal is not.
    closes_with_client: bool,
    /// It was closed so.
    has_ended: bool,
}

impl Input {
    /// Feeds clients' input to the program's terminal.
    pub(super) fn set_terminal(&mut self, master: &OwnedFd) -> io::Result<()> {
        self.inlet = Some(Inlet::new(rustix::io::fcntl_dupfd_cloexec(master, 0)?, true)?);
        Ok(())
    }

    /// Feeds clients' input to this pipe, which is closed when that ends; at once, if an earlier run of the program was
    /// given all that there was.
    pub(super) fn set_pipe(&mut self, fd: OwnedFd) -> io::Result<()> {
        self.inlet = if self.has_ended { None } else { Some(Inlet::new(fd, false)?) };
        self.closes_with_client = true;
        Ok(())
    }

    /// Closes what leads to the program, whose next run may have another one.
    pub(super) fn close(&mut self) {
        self.inlet = None;
    }

    /// The clients' input has ended: so does the program's, unless it is a terminal.
    pub(super) fn end(&mut self) {
        if self.closes_with_client {
            self.inlet = None;
            self.has_ended = true;
        }
    }

    /// Whether the program takes more now.
    pub(super) fn has_room(&self) -> bool {
        self.inlet.as_ref().is_some_and(Inlet::has_room)
    }

    /// What to wait for, if for anything.
    pub(super) fn poll_fd(&self) -> Option<(BorrowedFd<'_>, PollFlags)> {
        self.inlet.as_ref().and_then(Inlet::poll_fd)
    }

    /// Acts on what poll said about that.
    pub(super) fn ready(&mut self, flags: PollFlags) {
        if self.inlet.as_mut().is_some_and(|inlet| inlet.ready(flags) == Fed::ProgramEnded) {
            self.inlet = None;
        }
    }

    /// Passes on what a client has to say.
    pub(super) fn feed(&mut self, id: u64, clients: &mut Clients) {
        let (Some(stdin), Some(inlet)) = (clients.stdin(id), &mut self.inlet) else { return };
        match inlet.feed(stdin) {
            Fed::More => {}
            Fed::ProgramEnded => self.inlet = None,
            Fed::ClientEnded => {
                clients.close_stdin(id);
                // Nothing is pending: this client is only read when that is so.
                self.end();
            }
        }
    }
}
