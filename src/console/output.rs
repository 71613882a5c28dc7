//! From one of the program's outputs to our standard output or error.
//!
//! We share our descriptor with the process that started us, so we must not set O_NONBLOCK on it. We request it in each
//! call, or open the terminal once more; if we can do neither, poll says first whether there is room. So a stalled
//! reader delays neither a signal nor the program's end.

use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};

use rustix::fs::{FileType, Mode, OFlags};
use rustix::io::Errno;
use rustix::net::SendFlags;
use rustix::pipe::{SpliceFlags, splice};

use super::Error;
use crate::sys::inlet::CHUNK;
use crate::sys::pipe::Traffic;
use crate::sys::process;

/// The most pieces to read after the end of a program whose terminal does not tell how much output is left. Anything
/// after them was written by other processes, and may never end.
const LAST_PIECES: u64 = 1024;

/// Bytes per write if the write may block, for instance to a terminal.
const PIECE: usize = 4096;

/// One of the program's outputs.
#[derive(Debug)]
pub(super) struct Output {
    /// Where it comes from: a pipe or a terminal, which never blocks.
    source: OwnedFd,
    is_terminal: bool,
    /// Our descriptor 1 or 2.
    sink: i32,
    kind: Kind,
    /// Ours, if it is a terminal, opened once more with O_NONBLOCK: poll says only that there is some room.
    own: Option<OwnedFd>,
    /// Bytes for which ours had no room.
    pending: Vec<u8>,
    /// Ours has no room.
    is_full: bool,
    /// If the program has ended: how much of it is still to come.
    left: Option<Left>,
    traffic: Traffic,
}

/// What our descriptor is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Pipe,
    Socket,
    Terminal,
    /// It never blocks: a file, a device such as `/dev/null`.
    Other,
}

impl Kind {
    fn of(fd: BorrowedFd<'_>) -> Self {
        match rustix::fs::fstat(fd).map(|stat| FileType::from_raw_mode(stat.st_mode)) {
            Ok(FileType::Fifo) => Self::Pipe,
            Ok(FileType::Socket) => Self::Socket,
            Ok(FileType::CharacterDevice) if rustix::termios::isatty(fd) => Self::Terminal,
            _ => Self::Other,
        }
    }
}

#[derive(Debug, Clone, Copy)]
enum Left {
    Bytes(u64),
    Pieces(u64),
}

/// The result of an attempt to pass output on.
#[derive(Debug)]
pub(super) enum Drained {
    /// There may be more.
    More,
    /// There is nothing now.
    Nothing,
    /// Ours has no room now.
    Full,
    /// There is no more.
    Ended,
    /// No process reads ours.
    Closed,
    /// Ours cannot be written to.
    Failed(Errno),
}

impl Output {
    /// Passes the output from `source` on to our descriptor `sink`.
    pub(super) fn new(source: OwnedFd, sink: i32) -> Result<Self, Error> {
        rustix::io::ioctl_fionbio(&source, true).map_err(|error| Error::step("set up an output")(error.into()))?;
        let kind = process::standard(sink).map_or(Kind::Other, Kind::of);
        let is_terminal = rustix::termios::isatty(&source);
        Ok(Self {
            source,
            is_terminal,
            sink,
            kind,
            own: if kind == Kind::Terminal { open_anew(sink) } else { None },
            pending: Vec::new(),
            is_full: false,
            left: None,
            traffic: Traffic::default(),
        })
    }

    /// Where it comes from.
    pub(super) fn source(&self) -> BorrowedFd<'_> {
        self.source.as_fd()
    }

    /// The number of our descriptor.
    pub(super) fn sink(&self) -> i32 {
        self.sink
    }

    /// Whether ours has no room.
    pub(super) fn is_full(&self) -> bool {
        self.is_full
    }

    /// The program has ended, and all of its output is here. Other processes may continue to write, for instance a
    /// program in the background.
    pub(super) fn finish(&mut self) {
        let available = rustix::io::ioctl_fionread(&self.source).ok().filter(|_| !self.is_terminal);
        self.left = Some(available.map_or(Left::Pieces(LAST_PIECES), Left::Bytes));
    }

    /// Passes one piece on: within the kernel from pipe to pipe, otherwise by a copy.
    pub(super) fn forward(&mut self) -> Drained {
        let Some(sink) = process::standard(self.sink) else { return Drained::Ended };
        self.is_full = false;
        if !self.pending.is_empty() {
            return self.flush(sink);
        }
        if matches!(self.left, Some(Left::Bytes(0) | Left::Pieces(0))) {
            return Drained::Ended;
        }
        if self.kind == Kind::Pipe && !self.is_terminal {
            let flags = SpliceFlags::NONBLOCK | SpliceFlags::MOVE;
            return match splice(&self.source, None, sink, None, self.piece(CHUNK), flags) {
                Ok(0) => Drained::Ended,
                Ok(length) => {
                    self.passed(length);
                    Drained::More
                }
                Err(Errno::INTR) => Drained::More,
                Err(Errno::AGAIN) => self.nothing_or_full(),
                Err(Errno::PIPE) => Drained::Closed,
                Err(errno) => Drained::Failed(errno),
            };
        }
        let never_blocks = self.own.is_some() || matches!(self.kind, Kind::Other | Kind::Socket);
        if !never_blocks && !has_room(sink) {
            self.is_full = true;
            return Drained::Full;
        }
        let size = if never_blocks { CHUNK / 4 } else { PIECE };
        let mut buffer = vec![0u8; self.piece(size)];
        match rustix::io::read(&self.source, &mut buffer[..]) {
            // EIO: all processes have closed the program's side of the terminal.
            Ok(0) | Err(Errno::IO) => Drained::Ended,
            Ok(length) => {
                buffer.truncate(length);
                self.pending = buffer;
                self.passed(length);
                self.flush(sink)
            }
            Err(Errno::INTR) => Drained::More,
            Err(Errno::AGAIN) => self.nothing(),
            // Poll would report it for ever.
            Err(_) => Drained::Ended,
        }
    }

    /// `size`, but no more than is still to come.
    fn piece(&self, size: usize) -> usize {
        match self.left {
            Some(Left::Bytes(left)) => size.min(usize::try_from(left).unwrap_or(size)),
            _ => size,
        }
    }

    fn passed(&mut self, length: usize) {
        self.traffic.count(length, &[self.source.as_fd()]);
        match &mut self.left {
            Some(Left::Bytes(left)) => *left = left.saturating_sub(length as u64),
            Some(Left::Pieces(left)) => *left -= 1,
            None => {}
        }
    }

    fn nothing(&self) -> Drained {
        if self.left.is_some() { Drained::Ended } else { Drained::Nothing }
    }

    fn nothing_or_full(&mut self) -> Drained {
        self.is_full = rustix::io::ioctl_fionread(&self.source).is_ok_and(|available| available > 0);
        if self.is_full { Drained::Full } else { self.nothing() }
    }

    /// Writes as much of what is pending as there is room for.
    fn flush(&mut self, sink: BorrowedFd<'_>) -> Drained {
        while !self.pending.is_empty() {
            let written = match (self.kind, &self.own) {
                (_, Some(own)) => rustix::io::write(own, &self.pending),
                (Kind::Socket, _) => rustix::net::send(sink, &self.pending, SendFlags::DONTWAIT | SendFlags::NOSIGNAL),
                (Kind::Other, _) => rustix::io::write(sink, &self.pending),
                _ if !has_room(sink) => Err(Errno::AGAIN),
                _ => rustix::io::write(sink, &self.pending[..self.pending.len().min(PIECE)]),
            };
            match written {
                Ok(length) => drop(self.pending.drain(..length)),
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => {
                    self.is_full = true;
                    return Drained::Full;
                }
                Err(Errno::PIPE) => return Drained::Closed,
                // The terminal has hung up.
                Err(Errno::IO) if self.kind == Kind::Terminal => return Drained::Ended,
                Err(errno) => return Drained::Failed(errno),
            }
        }
        Drained::More
    }
}

/// Opens the terminal of our descriptor so that no write to it blocks. `None` if that is not permitted: the terminal
/// may belong to another user, as after su(1).
fn open_anew(number: i32) -> Option<OwnedFd> {
    let flags = OFlags::WRONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    rustix::fs::open(format!("/proc/self/fd/{number}"), flags, Mode::empty()).ok()
}

/// Whether a write would not block now.
fn has_room(sink: BorrowedFd<'_>) -> bool {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    let at_once = Timespec { tv_sec: 0, tv_nsec: 0 };
    poll(&mut [PollFd::from_borrowed_fd(sink, PollFlags::OUT)], Some(&at_once)) != Ok(0)
}
