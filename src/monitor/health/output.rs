//! The output of one health check: the beginning is kept, the rest is read and dropped.

use std::io;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};

/// The reading end of a check's standard output and error.
#[derive(Debug)]
pub(in crate::monitor) struct Output {
    /// `None` after the end.
    reader: Option<OwnedFd>,
    bytes: Vec<u8>,
    /// The most bytes that are kept.
    most: usize,
}

impl Output {
    /// Makes the pipe, and returns its writing end. `most` bytes are kept.
    pub(in crate::monitor) fn pipe(most: usize) -> io::Result<(Self, OwnedFd)> {
        let (reader, writer) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)?;
        // Only this end: to the program it is a pipe like any other.
        rustix::io::ioctl_fionbio(&reader, true)?;
        Ok((Self { reader: Some(reader), bytes: Vec::new(), most }, writer))
    }

    /// The descriptor to wait for, until the end.
    pub(in crate::monitor) fn fd(&self) -> Option<BorrowedFd<'_>> {
        self.reader.as_ref().map(|reader| reader.as_fd())
    }

    /// Reads once; returns whether there may be more now. A check that writes without end is one event after another.
    pub(in crate::monitor) fn read(&mut self) -> bool {
        let Some(reader) = &self.reader else { return false };
        let mut space = [0u8; 4096];
        match rustix::io::retry_on_intr(|| rustix::io::read(reader, &mut space)) {
            Ok(0) => self.reader = None,
            Ok(length) => {
                let room = self.most.saturating_sub(self.bytes.len());
                self.bytes.extend_from_slice(space.get(..length.min(room)).unwrap_or_default());
                return true;
            }
            Err(rustix::io::Errno::AGAIN) => {}
            Err(_) => self.reader = None,
        }
        false
    }

    /// The text, after the check has ended: what it has written by now. Another process may still have the pipe, and
    /// write into it without end, so no more is read than a pipe holds.
    pub(in crate::monitor) fn finish(mut self) -> String {
        let mut turns = 0;
        while turns < 32 && self.read() {
            turns += 1;
        }
        String::from_utf8_lossy(&self.bytes).into_owned()
    }
}
