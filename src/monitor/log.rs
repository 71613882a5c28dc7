//! The log of the program's output: a file in the container's directory, or the system's journal.

mod file;
mod journal;

use std::os::fd::BorrowedFd;
use std::time::Instant;

pub(super) use self::file::{Bounds, LogFile};
use self::journal::Journal;
use super::start::{Error, Start, step};
use super::stream::Stream;
use crate::plan::LogDriver;

/// An open log.
#[derive(Debug)]
pub(super) enum Log {
    File(LogFile),
    Journal(Journal),
}

impl Log {
    /// Opens the log, if the container has one.
    pub(super) fn open(start: &Start) -> Result<Option<Self>, Error> {
        let config = &start.config;
        match config.log_driver {
            LogDriver::K8sFile => {
                let bounds = Bounds { size: config.log_max_size, files: config.log_max_files };
                Ok(Some(Self::File(LogFile::open(&config.log(start.directory.path()), bounds)?)))
            }
            LogDriver::Journald => {
                Ok(Some(Self::Journal(Journal::open(config).map_err(step("reach the system's journal"))?)))
            }
            LogDriver::None | LogDriver::Passthrough | LogDriver::PassthroughTty => Ok(None),
        }
    }

    /// Appends what the program has just written.
    pub(super) fn append(&mut self, stream: Stream, bytes: &[u8]) {
        match self {
            Self::File(file) => file.append(stream, bytes),
            Self::Journal(journal) => journal.append(stream, bytes),
        }
    }

    /// The descriptor that must be writable before more is appended; `None` if there is room. A file always has room:
    /// output that cannot be written is dropped and counted.
    pub(super) fn poll_fd(&self) -> Option<BorrowedFd<'_>> {
        match self {
            Self::File(_) => None,
            Self::Journal(journal) => journal.poll_fd(),
        }
    }

    /// When the monitor stops waiting for that.
    pub(super) fn deadline(&self) -> Option<Instant> {
        match self {
            Self::File(_) => None,
            Self::Journal(journal) => journal.deadline(),
        }
    }

    /// Writes what waits for room.
    pub(super) fn flush(&mut self) {
        if let Self::Journal(journal) = self {
            journal.flush();
        }
    }

    /// Drops what has waited too long.
    pub(super) fn expire(&mut self, now: Instant) {
        if let Self::Journal(journal) = self {
            journal.expire(now);
        }
    }

    /// Frees memory while the program writes nothing.
    pub(super) fn rest(&mut self) {
        match self {
            Self::File(file) => file.rest(),
            Self::Journal(journal) => journal.rest(),
        }
    }
}
