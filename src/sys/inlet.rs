//! The writing end of a program's standard input. It never blocks: the program may read only after its output was read.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::event::PollFlags;
use rustix::io::Errno;
use rustix::pipe::{SpliceFlags, splice};

use super::pipe::Traffic;

/// How many bytes of a stream are moved at once, in either direction.
pub(crate) const CHUNK: usize = 256 * 1024;

/// How often that is done before other events are handled: a pipe holds no more (pipe(7), `pipe-max-size`).
pub(crate) const TURNS: u32 = 64;

/// The writing end: a pipe, or the controlling side of a terminal.
#[derive(Debug)]
pub(crate) struct Inlet {
    fd: OwnedFd,
    is_terminal: bool,
    /// Bytes for which there was no room.
    pending: Vec<u8>,
    /// The kernel has no room for more.
    is_full: bool,
    traffic: Traffic,
}

/// The result of an attempt to feed an inlet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fed {
    /// There may be more.
    More,
    /// The source has ended.
    SourceEnded,
    /// No process reads the input any more.
    ReaderClosed,
}

impl Inlet {
    /// Takes over `fd`, and makes it non-blocking.
    pub(crate) fn new(fd: OwnedFd) -> io::Result<Self> {
        rustix::io::ioctl_fionbio(&fd, true)?;
        let is_terminal = rustix::termios::isatty(&fd);
        Ok(Self { fd, is_terminal, pending: Vec::new(), is_full: false, traffic: Traffic::default() })
    }

    /// Whether it is a terminal.
    pub(crate) fn is_terminal(&self) -> bool {
        self.is_terminal
    }

    /// Whether it takes more now. A source is read only while it does.
    pub(crate) fn has_room(&self) -> bool {
        self.pending.is_empty() && !self.is_full
    }

    /// What to wait for: room, or the end of the reader. `None` for a terminal with room, because poll reports a
    /// terminal that its program has closed all the time.
    pub(crate) fn poll_fd(&self) -> Option<(BorrowedFd<'_>, PollFlags)> {
        match (self.has_room(), self.is_terminal) {
            (false, _) => Some((self.fd.as_fd(), PollFlags::OUT)),
            (true, false) => Some((self.fd.as_fd(), PollFlags::empty())),
            (true, true) => None,
        }
    }

    /// Acts on what poll has reported of [`poll_fd`](Self::poll_fd).
    pub(crate) fn ready(&mut self, flags: PollFlags) -> Fed {
        if flags.contains(PollFlags::ERR) {
            return Fed::ReaderClosed;
        }
        self.is_full = false;
        if flags.contains(PollFlags::HUP) {
            // The program has closed its terminal. Poll reports that until there is room, which may never be.
            self.pending = Vec::new();
        }
        self.flush()
    }

    /// Writes `bytes`, and keeps those for which there is no room.
    pub(crate) fn write(&mut self, bytes: &[u8]) -> Fed {
        self.pending.extend_from_slice(bytes);
        self.flush()
    }

    /// Moves within the kernel what `source` has now. `None` if the kernel cannot, and it must be read instead.
    ///
    /// Works only if this is a pipe.
    pub(crate) fn splice(&mut self, source: BorrowedFd<'_>) -> Option<Fed> {
        for _ in 0..TURNS {
            match splice(source, None, &self.fd, None, CHUNK, SpliceFlags::NONBLOCK | SpliceFlags::MOVE) {
                Ok(0) => return Some(Fed::SourceEnded),
                Ok(length) => self.traffic.count(length, &[self.fd.as_fd()]),
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => {
                    // Nothing to read, or no room to write.
                    self.is_full = rustix::io::ioctl_fionread(source).is_ok_and(|available| available > 0);
                    break;
                }
                Err(Errno::PIPE) => return Some(Fed::ReaderClosed),
                Err(Errno::INVAL) => return None,
                Err(_) => return Some(Fed::SourceEnded),
            }
        }
        Some(Fed::More)
    }

    fn flush(&mut self) -> Fed {
        while !self.pending.is_empty() {
            match rustix::io::write(&self.fd, &self.pending) {
                Ok(length) => {
                    self.pending.drain(..length);
                    self.traffic.count(length, &[self.fd.as_fd()]);
                }
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => return Fed::More,
                Err(_) => return Fed::ReaderClosed,
            }
        }
        self.pending = Vec::new();
        Fed::More
    }
}

#[cfg(test)]
mod tests {
    use rustix::event::{PollFd, Timespec, poll};
    use rustix::pty::{OpenptFlags, ioctl_tiocgptpeer, openpt, unlockpt};

    use super::*;

    #[test]
    fn a_terminal_that_its_program_has_closed_takes_more_and_does_not_wake_poll() {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).expect("a terminal");
        unlockpt(&master).expect("its other side can be opened");
        let program = ioctl_tiocgptpeer(&master, OpenptFlags::RDWR | OpenptFlags::NOCTTY).expect("its other side");
        let mut input = Inlet::new(master).expect("it is set up");
        drop(program);
        for _ in 0..64 {
            // So the keys that detach are still read.
            assert!(input.has_room() && input.poll_fd().is_none());
            assert_eq!(input.write(&[b'x'; 4096]), Fed::More);
            // Bytes for which there is no room are dropped.
            if let Some((fd, flags)) = input.poll_fd() {
                let mut set = [PollFd::from_borrowed_fd(fd, flags)];
                assert_eq!(poll(&mut set, Some(&Timespec { tv_sec: 0, tv_nsec: 0 })), Ok(1));
                let flags = set[0].revents();
                assert_eq!(input.ready(flags), Fed::More);
            }
        }
    }

    #[test]
    fn a_full_pipe_takes_no_more_until_it_is_read() {
        let (mut reader, writer) = io::pipe().expect("a pipe");
        let mut input = Inlet::new(writer.into()).expect("it is set up");
        while input.has_room() {
            assert_eq!(input.write(&[b'x'; 4096]), Fed::More);
        }
        io::Read::read_exact(&mut reader, &mut [0; 8192]).expect("there is something");
        assert_eq!(input.ready(PollFlags::OUT), Fed::More);
        assert!(input.has_room());
        drop(reader);
        assert_eq!(input.write(b"x"), Fed::ReaderClosed);
    }
}
