//! From our standard input to the program's.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::event::PollFlags;
use rustix::fs::FileType;
use rustix::io::Errno;
use rustix::pipe::{SpliceFlags, splice};

use super::detach::Detach;
use super::{CHUNK, Error, TURN};
use crate::sys::process;

/// The program's standard input, as we see it: a pipe or a terminal.
#[derive(Debug)]
pub(super) struct Input {
    fd: OwnedFd,
    /// What it has not taken yet: nothing more of ours is read meanwhile.
    pending: Vec<u8>,
    /// The kernel said that it is full.
    is_full: bool,
    /// Whether ours goes there within the kernel.
    is_spliced: bool,
    /// It is a terminal, which may be hung up for a while, or for good.
    is_terminal: bool,
}

/// What came of reading our input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fed {
    /// There may be more.
    More,
    /// There is no more, or nobody reads it.
    Ended,
    /// The keys that detach were typed.
    Detached,
}

impl Input {
    /// Feeds `fd`, which is not waited for: a program may read only when what it wrote has been taken.
    pub(super) fn new(fd: OwnedFd) -> Result<Self, Error> {
        rustix::io::ioctl_fionbio(&fd, true).map_err(|error| Error::step("set up standard input")(error.into()))?;
        let kind = |fd: BorrowedFd<'_>| {
            rustix::fs::fstat(fd).map_or(FileType::Unknown, |stat| FileType::from_raw_mode(stat.st_mode))
        };
        let ours = process::standard(0).map_or(FileType::Unknown, kind);
        let is_spliced = kind(fd.as_fd()) == FileType::Fifo && matches!(ours, FileType::Fifo | FileType::RegularFile);
        let is_terminal = rustix::termios::isatty(&fd);
        Ok(Self { fd, pending: Vec::new(), is_full: false, is_spliced, is_terminal })
    }

    /// What to wait for, if for anything: room, or the end of the reader. A terminal whose program has closed it would
    /// be ready for ever.
    pub(super) fn poll_fd(&self) -> Option<(BorrowedFd<'_>, PollFlags)> {
        match (self.has_room(), self.is_terminal) {
            (false, _) => Some((self.fd.as_fd(), PollFlags::OUT)),
            (true, false) => Some((self.fd.as_fd(), PollFlags::empty())),
            (true, true) => None,
        }
    }

    /// Whether it takes more.
    pub(super) fn has_room(&self) -> bool {
        self.pending.is_empty() && !self.is_full
    }

    /// Passes on what there is of ours; in a terminal's the keys that detach are looked for.
    pub(super) fn feed(&mut self, keys: Option<&mut Detach>) -> Fed {
        let Some(stdin) = process::standard(0) else { return Fed::Ended };
        if self.is_spliced {
            return self.splice(stdin);
        }
        let mut buffer = vec![0u8; 64 * 1024];
        let length = match rustix::io::read(stdin, &mut buffer[..]) {
            Ok(length) if length > 0 => length,
            Err(Errno::INTR | Errno::AGAIN) => return Fed::More,
            // Its end; or nothing to be read, as a directory.
            _ => return Fed::Ended,
        };
        match keys.map(|keys| keys.scan(&buffer[..length])) {
            Some(None) => return Fed::Detached,
            Some(Some(passed)) => self.pending.extend_from_slice(&passed),
            None => self.pending.extend_from_slice(&buffer[..length]),
        }
        self.flush()
    }

    fn splice(&mut self, stdin: BorrowedFd<'_>) -> Fed {
        for _ in 0..TURN {
            match splice(stdin, None, &self.fd, None, CHUNK, SpliceFlags::NONBLOCK | SpliceFlags::MOVE) {
                Ok(0) => return Fed::Ended,
                Ok(_) | Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => {
                    self.is_full = rustix::io::ioctl_fionread(stdin).is_ok_and(|available| available > 0);
                    break;
                }
                Err(Errno::INVAL) => {
                    self.is_spliced = false;
                    break;
                }
                Err(_) => return Fed::Ended,
            }
        }
        Fed::More
    }

    /// The program has closed its terminal: what it has no room for goes nowhere. Ours is read all the same, for the
    /// keys that detach.
    pub(super) fn discard(&mut self) {
        self.pending.clear();
        self.is_full = false;
    }

    /// It has room again, or nobody reads it any more.
    pub(super) fn flush(&mut self) -> Fed {
        self.is_full = false;
        while !self.pending.is_empty() {
            match rustix::io::write(&self.fd, &self.pending) {
                Ok(length) => drop(self.pending.drain(..length)),
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => {
                    self.is_full = true;
                    return Fed::More;
                }
                Err(_) => return Fed::Ended,
            }
        }
        Fed::More
    }
}

#[cfg(test)]
mod tests {
    use rustix::pty::{OpenptFlags, ioctl_tiocgptpeer, openpt, unlockpt};

    use super::*;

    #[test]
    fn a_terminal_that_its_program_has_closed_keeps_nobody_busy_and_can_be_left() {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).expect("a terminal");
        unlockpt(&master).expect("its other side can be opened");
        let program = ioctl_tiocgptpeer(&master, OpenptFlags::RDWR | OpenptFlags::NOCTTY).expect("its other side");
        let mut input = Input::new(master).expect("it is set up");
        drop(program);
        assert!(input.poll_fd().is_none());
        // The kernel takes some of what is typed, and what there is no room for goes nowhere.
        while input.has_room() {
            input.pending = vec![b'x'; 4096];
            assert_eq!(input.flush(), Fed::More);
        }
        input.discard();
        assert!(input.has_room() && input.poll_fd().is_none());
    }
}
