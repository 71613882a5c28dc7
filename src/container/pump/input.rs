//! From our standard input to the program's.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::FileType;
use rustix::io::Errno;
use rustix::pipe::{SpliceFlags, splice};

use super::{CHUNK, TURN};
use crate::container::Error;
use crate::container::detach::Detach;
use crate::sys::process;

/// The program's standard input, as we see it: a pipe or a terminal.
#[derive(Debug)]
pub(in crate::container) struct Input {
    fd: OwnedFd,
    /// What it has not taken yet: nothing more of ours is read meanwhile.
    pending: Vec<u8>,
    /// The kernel said that it is full.
    is_full: bool,
    /// Whether ours goes there within the kernel.
    is_spliced: bool,
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
    pub(in crate::container) fn new(fd: OwnedFd) -> Result<Self, Error> {
        rustix::io::ioctl_fionbio(&fd, true).map_err(|error| Error::step("set up standard input")(error.into()))?;
        let kind = |fd: BorrowedFd<'_>| {
            rustix::fs::fstat(fd).map_or(FileType::Unknown, |stat| FileType::from_raw_mode(stat.st_mode))
        };
        let ours = process::standard(0).map_or(FileType::Unknown, kind);
        let is_spliced = kind(fd.as_fd()) == FileType::Fifo && matches!(ours, FileType::Fifo | FileType::RegularFile);
        Ok(Self { fd, pending: Vec::new(), is_full: false, is_spliced })
    }

    /// The program's side.
    pub(in crate::container) fn fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
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
