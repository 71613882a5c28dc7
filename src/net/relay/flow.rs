//! One direction of a connection: bytes move from one socket to the other without being copied, through a pipe.

use std::os::fd::BorrowedFd;

use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags, Shutdown, recv, send, shutdown};
use rustix::pipe::{SpliceFlags, splice};

use super::pipes::{Pipe, Pipes, SIZE};

/// How much a direction may move until it is another one's turn, in bytes.
const SHARE: usize = 4 * SIZE;

/// How much is copied at once if there is no pipe, in bytes.
const COPIED: usize = 64 << 10;

/// What a direction waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Moved {
    /// For an event of one of its sockets.
    All,
    /// For its next turn.
    Share,
}

/// One direction.
#[derive(Debug, Default)]
pub(super) struct Flow {
    /// With bytes in it.
    pipe: Option<Pipe>,
    held: usize,
    state: State,
}

#[derive(Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Open,
    /// The sender has ended; what the pipe has is still to be sent.
    Ended,
    /// The receiver knows it.
    Over,
}

impl Flow {
    /// Whether everything was sent, and the end.
    pub(super) fn is_over(&self) -> bool {
        self.state == State::Over
    }

    /// Moves what can be moved now. Fails if either side has reset the connection.
    pub(super) fn pump(&mut self, from: BorrowedFd<'_>, to: BorrowedFd<'_>, pipes: &mut Pipes) -> Result<Moved, Errno> {
        let mut moved = 0;
        loop {
            let sent = match self.state {
                State::Over => return Ok(Moved::All),
                State::Ended if self.held == 0 => {
                    self.state = State::Over;
                    // The other side may have closed already.
                    return match shutdown(to, Shutdown::Write) {
                        Ok(()) | Err(Errno::NOTCONN) => Ok(Moved::All),
                        Err(errno) => Err(errno),
                    };
                }
                _ if self.held > 0 => self.empty(to, pipes),
                _ if moved >= SHARE => return Ok(Moved::Share),
                _ => self.fill(from, to, pipes),
            };
            match sent {
                Ok(count) => moved += count,
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => return Ok(Moved::All),
                Err(errno) => return Err(errno),
            }
        }
    }

    /// Takes bytes from the sender into a pipe; without one, copies them to the receiver.
    fn fill(&mut self, from: BorrowedFd<'_>, to: BorrowedFd<'_>, pipes: &mut Pipes) -> Result<usize, Errno> {
        let Some(pipe) = pipes.take() else { return self.copy(from, to) };
        match splice(from, None, &pipe.into, None, SIZE, SpliceFlags::NONBLOCK | SpliceFlags::MOVE) {
            Ok(0) => {
                pipes.give(pipe);
                self.state = State::Ended;
                Ok(0)
            }
            Ok(count) => {
                self.held = count;
                self.pipe = Some(pipe);
                Ok(0)
            }
            Err(errno) => {
                pipes.give(pipe);
                Err(errno)
            }
        }
    }

    /// Sends what the pipe has.
    fn empty(&mut self, to: BorrowedFd<'_>, pipes: &mut Pipes) -> Result<usize, Errno> {
        let Some(pipe) = self.pipe.take() else { return Err(Errno::INVAL) };
        match splice(&pipe.out, None, to, None, self.held, SpliceFlags::NONBLOCK | SpliceFlags::MOVE) {
            Ok(count) => {
                self.held -= count;
                match self.held {
                    0 => pipes.give(pipe),
                    _ => self.pipe = Some(pipe),
                }
                Ok(count)
            }
            Err(errno) => {
                self.pipe = Some(pipe);
                Err(errno)
            }
        }
    }

    /// Sends as much as the receiver takes, and only then takes it from the sender: nothing is held here.
    fn copy(&mut self, from: BorrowedFd<'_>, to: BorrowedFd<'_>) -> Result<usize, Errno> {
        let mut bytes = [0; COPIED];
        let (length, _) = recv(from, &mut bytes, RecvFlags::PEEK | RecvFlags::DONTWAIT)?;
        if length == 0 {
            self.state = State::Ended;
            return Ok(0);
        }
        let sent = send(to, &bytes[..length], SendFlags::NOSIGNAL | SendFlags::DONTWAIT)?;
        let mut left = sent;
        while left > 0 {
            let (taken, _) = recv(from, &mut bytes[..left], RecvFlags::DONTWAIT)?;
            left -= taken.min(left);
            if taken == 0 {
                break;
            }
        }
        Ok(sent)
    }

    /// Gives up what is held.
    pub(super) fn close(&mut self, pipes: &mut Pipes) {
        if let Some(pipe) = self.pipe.take() {
            pipes.close(pipe);
        }
    }
}
