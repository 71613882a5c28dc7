//! From our standard input to the program's.

use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};

use rustix::event::PollFlags;
use rustix::fs::FileType;
use rustix::io::Errno;

use super::Error;
use super::detach::Detach;
use crate::sys::inlet::{self, Inlet};
use crate::sys::process;

/// The program's standard input, as this process feeds it.
#[derive(Debug)]
pub(super) struct Input {
    inlet: Inlet,
    /// Ours goes there within the kernel.
    is_spliced: bool,
}

/// The result of reading our standard input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fed {
    /// There may be more.
    More,
    /// There is no more, or no process reads it.
    Ended,
    /// The user has typed the keys that detach.
    Detached,
}

impl From<inlet::Fed> for Fed {
    fn from(fed: inlet::Fed) -> Self {
        match fed {
            inlet::Fed::More => Self::More,
            inlet::Fed::SourceEnded | inlet::Fed::ReaderClosed => Self::Ended,
        }
    }
}

impl Input {
    /// Feeds `fd`, a pipe or a terminal.
    pub(super) fn new(fd: OwnedFd) -> Result<Self, Error> {
        let kind = |fd: BorrowedFd<'_>| {
            rustix::fs::fstat(fd).map_or(FileType::Unknown, |stat| FileType::from_raw_mode(stat.st_mode))
        };
        let ours = process::standard(0).map_or(FileType::Unknown, kind);
        let is_spliced = kind(fd.as_fd()) == FileType::Fifo && matches!(ours, FileType::Fifo | FileType::RegularFile);
        let inlet = Inlet::new(fd).map_err(Error::step("set up standard input"))?;
        Ok(Self { inlet, is_spliced })
    }

    /// What to wait for, if anything: room, or the end of the reader.
    pub(super) fn poll_fd(&self) -> Option<(BorrowedFd<'_>, PollFlags)> {
        self.inlet.poll_fd()
    }

    /// Whether it takes more.
    pub(super) fn has_room(&self) -> bool {
        self.inlet.has_room()
    }

    /// Acts on what poll has reported of [`poll_fd`](Self::poll_fd).
    pub(super) fn ready(&mut self, flags: PollFlags) -> Fed {
        self.inlet.ready(flags).into()
    }

    /// Passes on what our standard input has; `keys` finds the keys that detach.
    pub(super) fn feed(&mut self, keys: Option<&mut Detach>) -> Fed {
        let Some(stdin) = process::standard(0) else { return Fed::Ended };
        if self.is_spliced {
            let fed = self.inlet.splice(stdin);
            self.is_spliced = fed.is_some();
            return fed.map_or(Fed::More, Fed::from);
        }
        let mut buffer = vec![0u8; 64 * 1024];
        let length = match rustix::io::read(stdin, &mut buffer[..]) {
            Ok(length) if length > 0 => length,
            Err(Errno::INTR | Errno::AGAIN) => return Fed::More,
            // Its end, or it cannot be read, such as a directory.
            _ => return Fed::Ended,
        };
        match keys.map(|keys| keys.scan(&buffer[..length])) {
            Some(None) => Fed::Detached,
            Some(Some(passed)) => self.inlet.write(&passed).into(),
            None => self.inlet.write(&buffer[..length]).into(),
        }
    }
}
