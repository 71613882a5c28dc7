//! The log in a file: the program's output, in the format of the Kubernetes CRI: `RFC3339Nano stdout|stderr F|P text`.
//!
//! `P` is a part of a line: the next entry of the same stream continues it. So any bytes of the program come out
//! exactly as they went in, and none of them can forge a time or a stream (safety.md, U5).

use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use jiff::Timestamp;

use crate::monitor::stream::Stream;
use crate::sys::fs::{self, PathError};

/// How large a log file may grow, and how many there are.
#[derive(Debug, Clone, Copy)]
pub(in crate::monitor) struct Bounds {
    /// Bytes of one file. Beyond that it is rotated at the end of a line, or within a line that makes it twice as long.
    /// 0 means no limit.
    pub(in crate::monitor) size: u64,
    /// Files: `log`, `log.1`, …
    pub(in crate::monitor) files: u32,
}

/// A log file that is open for writing.
#[derive(Debug)]
pub(in crate::monitor) struct LogFile {
    path: PathBuf,
    file: File,
    size: u64,
    bounds: Bounds,
    /// Reused between writes.
    buffer: Vec<u8>,
    /// Bytes that could not be written since the last successful write.
    lost: u64,
    /// Bytes since a rotation failed, until the next one succeeds; `None` if the last one did.
    since_failure: Option<u64>,
    /// An older file was removed since then, to make room. No second one is removed for the same rotation, because that
    /// may not help: a reader may still have the first one open.
    has_made_room: bool,
}

/// After a failed rotation, the next attempt is made after this many more bytes, or after as many as a file may have:
/// on a disk without room for another file a line must not cost more than its own write.
const RETRY: u64 = 64 << 10;

impl LogFile {
    /// Opens the log to append to it.
    pub(in crate::monitor) fn open(path: &Path, bounds: Bounds) -> Result<Self, PathError> {
        let file = fs::open_record_with(path, OpenOptions::new().append(true).create(true).mode(0o600))?;
        let size = file.metadata().map(|metadata| metadata.len()).unwrap_or_default();
        Ok(Self {
            path: path.to_owned(),
            file,
            size,
            bounds,
            buffer: Vec::new(),
            lost: 0,
            since_failure: None,
            has_made_room: false,
        })
    }

    /// Appends what the program has just written. A full or broken disk never stops the program: lost bytes are
    /// counted, and the log says so as soon as it can be written.
    pub(super) fn append(&mut self, stream: Stream, bytes: &[u8]) {
        let mut now = [0u8; 40];
        let header = header(&mut now, stream);
        self.buffer.clear();
        let mut rest = bytes;
        while !rest.is_empty() {
            let (line, whole) = match memchr::memchr(b'\n', rest) {
                Some(end) => (&rest[..end], true),
                None => (rest, false),
            };
            self.buffer.extend_from_slice(header);
            self.buffer.extend_from_slice(if whole { b"F " } else { b"P " });
            self.buffer.extend_from_slice(line);
            self.buffer.push(b'\n');
            rest = rest.get(line.len() + 1..).unwrap_or_default();
            // A program that never ends its line must not fill the disk.
            let bound = self.bounds.size.saturating_mul(if whole { 1 } else { 2 });
            if bound > 0 && self.size + self.buffer.len() as u64 >= bound && self.may_rotate() {
                self.flush();
                self.rotate();
            }
        }
        self.flush();
    }

    fn may_rotate(&self) -> bool {
        self.since_failure.is_none_or(|bytes| bytes + self.buffer.len() as u64 >= RETRY.min(self.bounds.size))
    }

    fn flush(&mut self) {
        if self.buffer.is_empty() {
            return;
        }
        let count = self.buffer.len() as u64;
        if let Some(bytes) = &mut self.since_failure {
            *bytes += count;
            // A file may have twice the bound. After that the oldest output stays, and the newest is dropped and
            // counted.
            if self.size + count > self.bounds.size.saturating_mul(2) {
                self.lost += count;
                self.buffer.clear();
                return;
            }
        }
        if self.lost > 0 {
            let mut now = [0u8; 40];
            let mut note = header(&mut now, Stream::Stderr).to_vec();
            note.extend_from_slice(format!("F rc: {} bytes of output were lost here\n", self.lost).as_bytes());
            note.append(&mut self.buffer);
            self.buffer = note;
        }
        match self.file.write_all(&self.buffer) {
            Ok(()) => {
                self.size += self.buffer.len() as u64;
                self.lost = 0;
            }
            Err(_) => {
                self.lost += count;
                // A partial write may end within a line, where the next line must not continue. If the user has
                // shortened the file to make room, it must not be filled up with zeros.
                if self.file.metadata().is_ok_and(|found| found.len() > self.size) {
                    drop(self.file.set_len(self.size));
                }
            }
        }
        self.buffer.clear();
    }

    /// Begins a new `log`; `log` becomes `log.1`, `log.1` becomes `log.2`. A follower sees the rename.
    ///
    /// The new file is created first, so that nothing is removed if it cannot be created. Then output continues in the
    /// old one, up to twice the bound; further output is counted as lost, and the next rotation is attempted later.
    fn rotate(&mut self) {
        match self.begin_new() {
            Ok(file) => {
                self.file = file;
                self.size = 0;
                self.since_failure = None;
                self.has_made_room = false;
            }
            Err(_) if self.bounds.files <= 1 && self.file.set_len(0).is_ok() => {
                // A log of one file begins again at each rotation, if need be in place.
                self.size = 0;
                self.since_failure = None;
            }
            Err(_) => self.since_failure = Some(0),
        }
    }

    fn begin_new(&mut self) -> Result<File, PathError> {
        let log = self.path.clone();
        let named = |suffix: &dyn std::fmt::Display| {
            let mut path = log.clone().into_os_string();
            path.push(format!(".{suffix}"));
            PathBuf::from(path)
        };
        let numbered = |n: u32| named(&n);
        let new = named(&"new");
        let oldest = self.bounds.files.saturating_sub(1);
        let file = match fs::create_again(&new) {
            // The oldest file is removed for its inode, even if there are fewer files than allowed.
            Err(error)
                if matches!(error.source.raw_os_error(), Some(libc::ENOSPC | libc::EDQUOT)) && !self.has_made_room =>
            {
                self.has_made_room = (1..=oldest).rev().any(|n| fs::remove_file(numbered(n)).is_ok());
                if self.has_made_room { fs::create_again(&new) } else { Err(error) }
            }
            other => other,
        }?;
        // The oldest is removed before another file gets its name: ext4 writes a file to disk at once when it is
        // renamed over another (ext4(5), `auto_da_alloc`), and the program would wait for that. The new one is empty.
        if oldest > 0 {
            drop(fs::remove_file(numbered(oldest)));
        }
        for n in (1..oldest).rev() {
            // Older files may not exist yet.
            drop(fs::rename(numbered(n), numbered(n + 1)));
        }
        let moved = match if oldest > 0 { fs::rename(&self.path, numbered(1)) } else { Ok(()) } {
            // The user has removed it.
            Err(error) if error.is_not_found() => Ok(()),
            other => other,
        };
        if let Err(error) = moved.and_then(|()| fs::rename(&new, &self.path)) {
            // Restores the log's name if it is lost, and removes the empty file.
            if oldest > 0 && !self.path.exists() {
                drop(fs::rename(numbered(1), &self.path));
            }
            drop(fs::remove_file(&new));
            return Err(error);
        }
        Ok(file)
    }

    /// Frees the buffer while the program writes nothing.
    pub(super) fn rest(&mut self) {
        self.buffer = Vec::new();
    }
}

/// `2026-11-21T03:00:00.123456789Z stdout `.
fn header(space: &mut [u8; 40], stream: Stream) -> &[u8] {
    let mut cursor = io::Cursor::new(&mut space[..]);
    // 30 characters of time, a space, 6 of the stream and a space: 38.
    drop(write!(cursor, "{:.9} {} ", Timestamp::now(), stream.name()));
    let length = usize::try_from(cursor.position()).unwrap_or_default();
    &space[..length]
}

#[cfg(test)]
mod tests;
