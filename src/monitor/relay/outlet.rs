//! One of the program's outputs: a pipe or its terminal, and how the relay reads it.

use std::io;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};

use rustix::io::Errno;
use rustix::pipe::{SpliceFlags, splice, tee};

use super::sink::Sink;
use crate::monitor::log::Log;
use crate::monitor::stream::Stream;
use crate::sys::inlet::CHUNK;
use crate::sys::pipe::Traffic;
use crate::sys::tty;

/// One of the program's outputs.
#[derive(Debug)]
pub(super) struct Outlet {
    fd: OwnedFd,
    stream: Stream,
    is_terminal: bool,
    traffic: Traffic,
}

/// The result of an attempt to move output within the kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Moved {
    /// Some was moved, and there may be more.
    Some,
    /// The client's pipe is full.
    Full,
    /// The output must be read and written.
    NotPossible,
    /// There is no more.
    End,
}

/// The result of a read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Read {
    /// This many bytes.
    Some(usize),
    /// There is nothing now.
    Nothing,
    /// There is no more.
    End,
}

impl Outlet {
    /// Takes over the monitor's end, and makes it non-blocking.
    pub(super) fn new(fd: OwnedFd, stream: Stream, is_terminal: bool) -> io::Result<Self> {
        rustix::io::ioctl_fionbio(&fd, true)?;
        Ok(Self { fd, stream, is_terminal, traffic: Traffic::default() })
    }

    pub(super) fn fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }

    pub(super) fn stream(&self) -> Stream {
        self.stream
    }

    pub(super) fn is_terminal(&self) -> bool {
        self.is_terminal
    }

    /// Sets the size of a terminal.
    pub(super) fn resize(&self, rows: u16, columns: u16) {
        // The terminal may have hung up already.
        drop(tty::set_size(&self.fd, rows, columns));
    }

    /// Reads into `buffer`.
    pub(super) fn read(&self, buffer: &mut [u8]) -> Read {
        loop {
            match rustix::io::read(&self.fd, &mut *buffer) {
                Ok(length) if length > 0 => return Read::Some(length),
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => return Read::Nothing,
                // EIO: all processes have closed the program's side of the terminal. Poll would report any of these for
                // ever.
                Ok(_) | Err(_) => return Read::End,
            }
        }
    }

    /// Moves bytes from pipe to pipe, by splice(2), or with a log by tee(2) and a read of the same bytes.
    pub(super) fn move_to(&mut self, sink: &mut Sink, log: Option<&mut Log>, buffer: &mut Vec<u8>) -> Moved {
        if self.is_terminal || sink.is_waiting() {
            return Moved::NotPossible;
        }
        let moved = match log {
            None => splice(&self.fd, None, sink.fd(), None, CHUNK, SpliceFlags::NONBLOCK | SpliceFlags::MOVE),
            Some(_) => tee(&self.fd, sink.fd(), CHUNK, SpliceFlags::NONBLOCK),
        };
        let length = match moved {
            // The pipe is empty, and nobody can write to it. tee(2) may have another reason.
            Ok(0) if log.is_none() => return Moved::End,
            Ok(0) => return Moved::NotPossible,
            Ok(length) => length,
            Err(Errno::AGAIN) => {
                // Nothing to read, or no room to write: a read tells which.
                if rustix::io::ioctl_fionread(&self.fd).is_ok_and(|available| available > 0) {
                    sink.is_now_full();
                    return Moved::Full;
                }
                return Moved::NotPossible;
            }
            Err(_) => return Moved::NotPossible,
        };
        sink.has_taken();
        self.traffic.count(length, &[self.fd.as_fd(), sink.fd()]);
        if let Some(log) = log {
            self.read_for(log, length, buffer);
        }
        Moved::Some
    }

    /// Reads bytes that the client already has, and appends them to the log.
    fn read_for(&self, log: &mut Log, length: usize, buffer: &mut Vec<u8>) {
        let buffer = room(buffer);
        let mut rest = length;
        while rest > 0 {
            let wanted = rest.min(buffer.len());
            let Read::Some(got) = self.read(&mut buffer[..wanted]) else { return };
            rest -= got;
            log.append(self.stream, &buffer[..got]);
        }
    }
}

/// The whole of `buffer`, which gets its size when it is first needed. Fresh memory from the kernel is zero and takes
/// no page before a read fills it; `resize` would write all of it, even for a program without output.
pub(super) fn room(buffer: &mut Vec<u8>) -> &mut [u8] {
    if buffer.is_empty() {
        *buffer = vec![0; CHUNK];
    }
    buffer
}
