//! One TCP connection of a client, and the one to the server inside.
//!
//! The two are one connection to both sides: what one side does, the other one sees. An end of data is passed on after
//! the data, for each direction alone; a reset at once; a server that refuses is a reset, since the client has been
//! accepted already.

use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::time::Duration;

use rustix::event::epoll::EventFlags;
use rustix::net::sockopt;

use super::flow::{Flow, Moved};
use super::pipes::Pipes;

/// What becomes of a connection after a turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Turn {
    /// It waits for an event.
    Waits,
    /// It goes on without one.
    GoesOn,
    /// Both directions have ended.
    Over,
    /// One side has reset it.
    Reset,
}

/// The two connections.
#[derive(Debug)]
pub(super) struct Stream {
    outer: OwnedFd,
    inner: OwnedFd,
    /// Whether the server has accepted.
    is_connected: bool,
    asked: Flow,
    answered: Flow,
}

impl Stream {
    /// A client's connection, and one to the server that need not be established.
    pub(super) fn new(outer: OwnedFd, inner: OwnedFd) -> Self {
        Self { outer, inner, is_connected: false, asked: Flow::default(), answered: Flow::default() }
    }

    /// Both sockets: outside, inside.
    pub(super) fn sockets(&self) -> [BorrowedFd<'_>; 2] {
        [self.outer.as_fd(), self.inner.as_fd()]
    }

    /// Moves what can be moved, after an event on one of the sockets: `is_inner` says which.
    pub(super) fn event(&mut self, is_inner: bool, flags: EventFlags, pipes: &mut Pipes) -> Turn {
        let is_broken = flags.contains(EventFlags::ERR);
        if !self.is_connected {
            if is_broken || (is_inner && flags.contains(EventFlags::HUP)) {
                return Turn::Reset;
            }
            self.is_connected = is_inner && flags.contains(EventFlags::OUT);
        }
        match self.turn(pipes) {
            // A side that has sent its end, and resets now, has nothing to read that would say so.
            Turn::Waits | Turn::GoesOn if is_broken => Turn::Reset,
            turn => turn,
        }
    }

    /// Moves what can be moved.
    pub(super) fn turn(&mut self, pipes: &mut Pipes) -> Turn {
        if !self.is_connected {
            return Turn::Waits;
        }
        let asked = self.asked.pump(self.outer.as_fd(), self.inner.as_fd(), pipes);
        let answered = self.answered.pump(self.inner.as_fd(), self.outer.as_fd(), pipes);
        match (asked, answered) {
            _ if self.asked.is_over() && self.answered.is_over() => Turn::Over,
            // What the server has said before it broke off was sent, as far as the client takes it.
            (Err(_), _) | (_, Err(_)) => Turn::Reset,
            (Ok(Moved::All), Ok(Moved::All)) => Turn::Waits,
            _ => Turn::GoesOn,
        }
    }

    /// Whether the server has nothing more to say.
    pub(super) fn is_answered(&self) -> bool {
        !self.is_connected || self.answered.is_over()
    }

    /// Closes both connections: what was sent still arrives.
    pub(super) fn close(mut self, pipes: &mut Pipes) {
        self.asked.close(pipes);
        self.answered.close(pipes);
    }

    /// Resets both connections.
    pub(super) fn reset(self, pipes: &mut Pipes) {
        for socket in self.sockets() {
            reset_when_closed(socket);
        }
        self.close(pipes);
    }
}

/// Makes the end of a connection a reset. Source: socket(7), `SO_LINGER`.
pub(super) fn reset_when_closed(socket: BorrowedFd<'_>) {
    sockopt::set_socket_linger(socket, Some(Duration::ZERO)).ok();
}
