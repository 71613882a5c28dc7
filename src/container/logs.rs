//! Reads a container's log from the files that its monitor writes.
//!
//! ```text
//! containers/<id>/log      the newest, appended to, one write(2) per piece of output
//!                 log.1    the one before: a full `log` is renamed, and a new one is begun
//!                 log.2    … the oldest are removed
//! ```
//!
//! A line is an [`Entry`]: `RFC3339Nano stdout|stderr F|P text`. `F` ends a line of the program, `P` does not. So every
//! byte comes out as it went in, NUL and a missing last newline included, and no output of a program can pass for a
//! line of another time or stream. rc reads files in blocks and finds lines by `memchr`; it copies no line here.

mod follow;
mod journal;
mod line;
mod tail;

use std::fs::File;
use std::io::{self, Read as _, Seek as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use jiff::{SignedDuration, Timestamp};
use rustix::event::Timespec;

use crate::sys::fs::{self, AtPath as _, PathError};
use crate::types::{Report, ReportKind};

pub(crate) use follow::follow;
pub(crate) use journal::journal;
pub(crate) use line::{Entry, LogStream};

/// Bytes per read: large enough to hide the system calls, small enough for the second-level cache.
const BLOCK: usize = 256 * 1024;

/// Longer than any command runs.
const FOREVER: Timespec = Timespec { tv_sec: i64::MAX, tv_nsec: 0 };

/// Why reading ended early.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error<E> {
    /// A log file could not be read.
    #[error(transparent)]
    File(#[from] PathError),
    /// The log cannot be watched for changes.
    #[error("cannot watch `{}`: {}", .directory.display().to_string().escape_debug(), fs::plain(.source))]
    Watch {
        /// The directory of the log.
        directory: PathBuf,
        /// The kernel's answer.
        source: io::Error,
    },
    /// The program that reads the journal is not installed.
    #[error("journalctl is not installed")]
    NoJournal,
    /// The journal could not be read.
    #[error("cannot read the journal: {0}")]
    Journal(String),
    /// The receiver of the entries failed.
    #[error(transparent)]
    Sink(E),
}

impl<E: std::error::Error + Into<Report>> From<Error<E>> for Report {
    fn from(error: Error<E>) -> Self {
        let kind = match error {
            Error::File(error) => return error.into(),
            Error::Sink(error) => return error.into(),
            Error::Watch { ref source, .. } => ReportKind::of_step(source),
            Error::NoJournal | Error::Journal(_) => ReportKind::Unavailable,
        };
        Self::new(kind, error.to_string())
    }
}

/// Selects entries.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Select {
    /// Only this many lines before the end.
    pub(crate) tail: Option<u64>,
    /// Only what was written at this time or later.
    pub(crate) since: Option<Timestamp>,
    /// Only what was written at this time or earlier.
    pub(crate) until: Option<Timestamp>,
}

impl Select {
    /// How long entries that it takes can still be written: 0 if that time is over, `None` if it has no end.
    fn time_left(&self) -> Option<Timespec> {
        let left = self.until?.duration_since(Timestamp::now());
        Some(Timespec::try_from(left.max(SignedDuration::ZERO).unsigned_abs()).unwrap_or(FOREVER))
    }

    fn takes(&self, entry: &Entry<'_>) -> bool {
        if self.since.is_none() && self.until.is_none() {
            return true;
        }
        let Some(time) = entry.timestamp() else { return true };
        self.since.is_none_or(|since| time >= since) && self.until.is_none_or(|until| time <= until)
    }
}

/// The receiver of the entries.
pub(crate) trait Sink {
    /// Why it cannot take an entry.
    type Error;

    /// One entry, valid during the call.
    fn entry(&mut self, entry: Entry<'_>) -> Result<(), Self::Error>;

    /// It has all entries that exist now; the next may take a while.
    fn caught_up(&mut self) -> Result<(), Self::Error>;
}

/// Hands over the entries in the file `log` and in older ones beside it, oldest first. A missing log is an empty one.
pub(crate) fn read<S: Sink>(log: &Path, select: &Select, sink: &mut S) -> Result<(), Error<S::Error>> {
    let mut files = open_newer_than(log, None)?;
    tail::skip(&mut files, select)?;
    for file in &mut files {
        file.drain(select, sink)?;
        file.finish(select, sink)?;
    }
    sink.caught_up().map_err(Error::Sink)
}

/// One log file, read up to a point.
#[derive(Debug)]
struct LogFile {
    file: File,
    path: PathBuf,
    /// Device and inode: its name changes at the next rotation.
    identity: (u64, u64),
    /// `buffer[..filled]` was read and not yet handed over: less than a line between calls.
    buffer: Vec<u8>,
    filled: usize,
}

impl LogFile {
    fn open(path: PathBuf) -> Result<Option<Self>, PathError> {
        let file = match fs::open_record(&path) {
            Ok(file) => file,
            Err(error) if error.is_not_found() => return Ok(None),
            Err(error) => return Err(error),
        };
        let metadata = file.metadata().at("look at", &path)?;
        let identity = (metadata.dev(), metadata.ino());
        Ok(Some(Self { file, path, identity, buffer: Vec::new(), filled: 0 }))
    }

    /// Hands over all complete lines up to the end of the file.
    fn drain<S: Sink>(&mut self, select: &Select, sink: &mut S) -> Result<(), Error<S::Error>> {
        loop {
            // A line that does not fit doubles the buffer; the monitor's pieces are far smaller than a block.
            if self.filled == self.buffer.len() {
                self.buffer.resize((self.filled * 2).max(BLOCK), 0);
            }
            let count = match self.file.read(&mut self.buffer[self.filled..]) {
                Ok(0) if self.is_cut().at("read", &self.path)? => continue,
                Ok(0) => return Ok(()),
                Ok(count) => count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(PathError::new("read", &self.path, error).into()),
            };
            // The rest of the last read has no newline.
            let (unsearched, end) = (self.filled, self.filled + count);
            let mut start = 0;
            for newline in memchr::memchr_iter(b'\n', &self.buffer[unsearched..end]) {
                let newline = unsearched + newline;
                if let Some(entry) = Entry::parse(&self.buffer[start..newline])
                    && select.takes(&entry)
                {
                    sink.entry(entry).map_err(Error::Sink)?;
                }
                start = newline + 1;
            }
            self.buffer.copy_within(start..end, 0);
            self.filled = end - start;
        }
    }

    /// Goes back to the end of a file that became shorter: its writer removes a line for which the disk had no space,
    /// and the next one begins in its place.
    fn is_cut(&mut self) -> io::Result<bool> {
        let length = self.file.metadata()?.len();
        let is_cut = length < self.file.stream_position()?;
        if is_cut {
            self.file.seek(io::SeekFrom::Start(length))?;
            self.filled = 0;
        }
        Ok(is_cut)
    }

    /// Hands over a last line without a newline: the monitor died, or the disk was full, in the middle of it.
    fn finish<S: Sink>(&mut self, select: &Select, sink: &mut S) -> Result<(), Error<S::Error>> {
        let rest = &self.buffer[..std::mem::take(&mut self.filled)];
        match Entry::parse(rest) {
            Some(entry) if select.takes(&entry) => sink.entry(Entry { is_partial: true, ..entry }).map_err(Error::Sink),
            _ => Ok(()),
        }
    }
}

/// Opens the log files that are newer than the one with the inode `known`, oldest first; all of them if that does not
/// exist any more, or for `None`.
///
/// It opens the newest first: a rotation in between can show a file twice, which its inode reveals, but cannot hide
/// one.
fn open_newer_than(log: &Path, known: Option<(u64, u64)>) -> Result<Vec<LogFile>, PathError> {
    let mut files: Vec<LogFile> = Vec::new();
    for age in 0.. {
        let mut path = log.as_os_str().to_owned();
        if age > 0 {
            path.push(format!(".{age}"));
        }
        let Some(file) = LogFile::open(PathBuf::from(path))? else {
            // Between the two renames of a rotation there is no `log`, but a `log.1`.
            if age == 0 {
                continue;
            }
            break;
        };
        if known == Some(file.identity) {
            break;
        }
        if files.iter().all(|newer| newer.identity != file.identity) {
            files.push(file);
        }
    }
    files.reverse();
    Ok(files)
}

#[cfg(test)]
mod tests;
