//! From the clients to the program's standard input.

use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};

use rustix::event::PollFlags;
use rustix::io::Errno;

use super::client::Clients;
use crate::sys::inlet::{Fed, Inlet};

/// The program's standard input.
#[derive(Debug, Default)]
pub(super) struct Input {
    /// `None` if the program has no input, or reads no more.
    inlet: Option<Inlet>,
    /// It is closed when a client's input ends. A terminal is not.
    closes_with_client: bool,
    /// A client's input has ended, and closed it.
    has_ended: bool,
}

impl Input {
    /// Feeds clients' input to the program's terminal.
    pub(super) fn set_terminal(&mut self, master: &OwnedFd) -> io::Result<()> {
        self.inlet = Some(Inlet::new(rustix::io::fcntl_dupfd_cloexec(master, 0)?)?);
        Ok(())
    }

    /// Feeds clients' input to this pipe, and closes the pipe when that ends. If it has ended in an earlier run of the
    /// program, the pipe is closed at once.
    pub(super) fn set_pipe(&mut self, fd: OwnedFd) -> io::Result<()> {
        self.inlet = if self.has_ended { None } else { Some(Inlet::new(fd)?) };
        self.closes_with_client = true;
        Ok(())
    }

    /// Closes this run's input; the next run may have one of its own.
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

    /// What to wait for, if anything.
    pub(super) fn poll_fd(&self) -> Option<(BorrowedFd<'_>, PollFlags)> {
        self.inlet.as_ref().and_then(Inlet::poll_fd)
    }

    /// Acts on what poll has reported of that.
    pub(super) fn ready(&mut self, flags: PollFlags) {
        if self.inlet.as_mut().is_some_and(|inlet| inlet.ready(flags) == Fed::ReaderClosed) {
            self.inlet = None;
        }
    }

    /// Passes on what a client has written.
    pub(super) fn feed(&mut self, id: u64, clients: &mut Clients) {
        let (Some(stdin), Some(inlet)) = (clients.stdin(id), &mut self.inlet) else { return };
        match feed(inlet, stdin) {
            Fed::More => {}
            Fed::ReaderClosed => self.inlet = None,
            Fed::SourceEnded => {
                clients.close_stdin(id);
                // Nothing is pending: a client is read only then.
                self.end();
            }
        }
    }
}

/// Moves what `client` has now: a pipe that never blocks.
fn feed(inlet: &mut Inlet, client: BorrowedFd<'_>) -> Fed {
    if !inlet.is_terminal() {
        return inlet.splice(client).unwrap_or(Fed::SourceEnded);
    }
    let mut buffer = vec![0u8; 64 * 1024];
    match rustix::io::read(client, &mut buffer[..]) {
        Ok(length) if length > 0 => inlet.write(&buffer[..length]),
        Err(Errno::INTR | Errno::AGAIN) => Fed::More,
        _ => Fed::SourceEnded,
    }
}
